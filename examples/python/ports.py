"""Runs two servers on the same port, each in a network namespace of its own, and asks them from one
program with threads.

Needs root, because threads enter the namespaces: python3 examples/python/ports.py
"""

import socket
import threading

import nsiso

PORT = 8080


def serve(server, greeting):
    connection, _ = server.accept()
    with connection, server:
        connection.sendall(greeting)


def ask():
    with socket.create_connection(("127.0.0.1", PORT)) as connection:
        return connection.makefile().read()


def main():
    with nsiso.Popen(["cat"], stdin=nsiso.PIPE, net=True) as red, nsiso.Popen(["cat"], stdin=nsiso.PIPE, net=True) as blue:
        networks = {"red": nsiso.Namespace.of(red, "net"), "blue": nsiso.Namespace.of(blue, "net")}
        threads = []
        for name, network in networks.items():
            # Only this thread enters the namespace, and only for the block. The socket stays in the
            # namespace where it was created.
            with nsiso.enter(network):
                server = socket.create_server(("127.0.0.1", PORT))
            threads.append(threading.Thread(target=serve, args=(server, f"hello from {name}".encode())))
            threads[-1].start()
        for name, network in networks.items():
            print(f"port {PORT} in {name}: {nsiso.call_in(network, ask)}")
        for thread in threads:
            thread.join()
        red.stdin.close()
        blue.stdin.close()


if __name__ == "__main__":
    main()
