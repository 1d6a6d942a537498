//! The Python module
