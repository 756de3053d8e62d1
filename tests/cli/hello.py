"""Says a hello of its own making on the frame port of a data node and prints the sentence of the refusal.

hello.py PORT protocol=N | cluster=HEX:NAME | node=N    that of an API client otherwise
"""
import socket
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frame(payload):
    head = struct.pack("<4sIIIQ", b"NDBF", len(payload), 0, 0, 0)
    return head[:8] + struct.pack("<I", crc32c(head + payload)) + head[12:] + payload


def main():
    words = dict(w.split("=", 1) for w in sys.argv[2:])
    cluster, name = words.get("cluster", "0:").split(":")
    name = name.encode()
    body = struct.pack("<IQI", int(words.get("protocol", 3)), int(cluster, 16), len(name)) + name
    body += struct.pack("<BHQIQHBQ", 1, int(words.get("node", 0)), 0, 0, 77, 0, 0, 0)
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as s:
        s.sendall(frame(struct.pack("<IHBB", len(body), 1, 255, 0) + body))
        got = b""
        while chunk := s.recv(65536):
            got += chunk
            if len(got) >= 32 and struct.unpack_from("<H", got, 28)[0] == 1:
                print("accepted")
                return
    length = struct.unpack_from("<I", got, 34)[0]
    print(got[38:38 + length].decode())


main()
