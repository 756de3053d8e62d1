"""Passes connections on until it is killed: relay.py PORT TO_HOST TO_PORT, listening on 127.0.0.1."""
import asyncio
import sys

port, host, to_port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def pass_on(reader, writer):
    try:
        to_reader, to_writer = await asyncio.open_connection(host, to_port)
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))
    except OSError:
        writer.close()


async def main():
    server = await asyncio.start_server(pass_on, "127.0.0.1", port, reuse_address=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
