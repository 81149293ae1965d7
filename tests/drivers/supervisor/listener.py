"""The lightest service that can be looked at: listens, says its environment, and waits."""

import os
import socket

if __name__ == "__main__":
    for name, value in os.environ.items():
        os.write(1, f"{name}={value}\n".encode())
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            server.accept()[0].close()
