# lend.py - runs in a network namespace from which no outside host can be reached: opens listening sockets there, lends
# them to the stand-in service (arm.py --lend PATH), and becomes the command.
#   lend.py PATH LISTENER=ADDRESS:PORT... -- COMMAND...
# A socket belongs to the namespace in which it was created, no matter which process accepts its connections.

import json
import os
import socket
import sys


def main():
    end = sys.argv.index("--")
    path, specs, command = sys.argv[1], sys.argv[2:end], sys.argv[end + 1:]
    names, sockets = [], []
    for spec in specs:
        name, _, address = spec.partition("=")
        host, _, port = address.rpartition(":")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.listen(64)
        names.append(name)
        sockets.append(sock)
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(path)
        socket.send_fds(control, [json.dumps(names).encode()], [sock.fileno() for sock in sockets])
        answer = control.recv(4096)
        if answer != b"ok":
            sys.exit(f"lend.py: {answer.decode()}")
    os.execvp(command[0], command)    # exec closes the sockets


main()
