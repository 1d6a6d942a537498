//! The JSON Schema of documents, made from their types.

use super::Document;

impl Document {
    /// The JSON Schema of documents.
    pub fn schema() -> String {
        let mut schema = schemars::schema_for!(Document);
        schemars::transform::transform_subschemas(&mut ForReaders, &mut schema);
        serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
    }
}

/// Takes out `null`, which stands for an option that is left out, and examples in Rust.
struct ForReaders;

impl schemars::transform::Transform for ForReaders {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        schemars::transform::transform_subschemas(self, schema);
        let Some(fields) = schema.as_object_mut() else { return };
        // Examples in Rust are for readers of the Rust documentation.
        if let Some(serde_json::Value::String(text)) = fields.get_mut("description")
            && let Some(end) = text.find("\n\n```")
        {
            text.truncate(end);
        }
        if fields.get("default").is_some_and(serde_json::Value::is_null) {
            fields.remove("default");
        }
        if let Some(serde_json::Value::Array(types)) = fields.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                fields.insert("type".into(), only);
            }
        }
        if let Some(serde_json::Value::Array(choices)) = fields.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            if let [serde_json::Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                fields.remove("anyOf");
                fields.extend(only);
            }
        }
    }
}
