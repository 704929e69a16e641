import MSRP
import NIOCore

/// How fast MSRP is in memory: frames off the wire and onto it.
enum MSRPFigures {
    static func run(_ runs: Int) async throws -> [Figure] {
        let content = Self.content(Self.totalBytes)
        let small = try Self.stream(of: content, chunkBytes: 2048)
        let large = try Self.stream(of: content, chunkBytes: 64 * 1024)
        return [
            try await Self.measure("msrp.gb_per_second", runs) { try Self.parse(small) },
            try await Self.measure("msrp.parse_64k_chunks_gb_per_second", runs) { try Self.parse(large) },
            try await Self.measure("msrp.receive_gb_per_second", runs) { try Self.receive(small) },
            try await Self.measure("msrp.print_gb_per_second", runs) { try Self.print(content, chunkBytes: 2048) },
            try await Self.measure("msrp.print_64k_chunks_gb_per_second", runs) {
                try Self.print(content, chunkBytes: 64 * 1024)
            },
        ]
    }

    private static let totalBytes = 64 * 1024 * 1024

    private static func measure(_ name: String, _ runs: Int, _ body: () throws -> Int) async rethrows -> Figure {
        try await Figure.measure(name, "GB/s", runs, { Double($1) / $0 / 1e9 }, of: body)
    }

    /// Content in which line ends and hyphens are as frequent as any other octet.
    static func content(_ count: Int) -> ByteBuffer {
        var numbers = IdentifierGenerator(seed: 4975)
        var content = ByteBufferAllocator().buffer(capacity: count + 8)
        while content.readableBytes < count { content.writeInteger(numbers.next()) }
        content.moveWriterIndex(to: count)
        return content
    }

    private static func uris() throws(MSRPError) -> (alice: MSRPURI, bob: MSRPURI) {
        (
            try MSRPURI(parsing: "msrp://alice.example.com:7654/jshA7weztas2fk;tcp"),
            try MSRPURI(parsing: "msrp://bob.example.com:2855/kjhd37s2s20w2a;tcp")
        )
    }

    private static func sender(chunkBytes: Int, content: ByteBuffer) throws -> MSRP.Session {
        let uris = try Self.uris()
        var configuration = Session.Configuration(local: uris.alice, remotePath: [uris.bob], role: .active, seed: 1)
        configuration.limits.bulkChunkBytes = chunkBytes
        var session = Session(configuration)
        session.established()
        let id = session.sender.makeMessageID()
        let size = UInt64(content.readableBytes)
        let header = MessageHeader(id: id, contentType: "image/png", size: size, failureReport: .no)
        try session.sender.start(header)
        _ = try session.sender.supply(content, to: id)
        return session
    }

    /// A message in chunks, as reads of 64 KiB.
    private static func stream(of content: ByteBuffer, chunkBytes: Int) throws -> [ByteBuffer] {
        var session = try Self.sender(chunkBytes: chunkBytes, content: content)
        var output = FrameOutput(framing: .stream)
        while session.writeNext(now: .uptimeNanoseconds(0), into: &output) != nil {}
        var all = ByteBuffer()
        for buffer in output.take() { all.writeImmutableBuffer(buffer) }
        var reads: [ByteBuffer] = []
        while all.readableBytes > 0, let read = all.readSlice(length: min(65_536, all.readableBytes)) {
            // Each read has storage of its own, as it has from a socket.
            reads.append(ByteBuffer(bytes: read.readableBytesView))
        }
        return reads
    }

    private static func parse(_ reads: [ByteBuffer]) throws -> Int {
        var parser = FrameParser()
        var bytes = 0
        var contentBytes = 0
        for read in reads {
            parser.append(read)
            bytes += read.readableBytes
            while let event = try parser.next() {
                if case .body(let content) = event { contentBytes += content.readableBytes }
            }
        }
        precondition(contentBytes == Self.totalBytes, "content was lost")
        return bytes
    }

    /// All that a receiver does but the socket: parsing, checking, reassembling, answering.
    private static func receive(_ reads: [ByteBuffer]) throws -> Int {
        let uris = try Self.uris()
        var session = Session(.init(local: uris.bob, remotePath: [uris.alice], role: .passive, seed: 1))
        var parser = FrameParser()
        var output = FrameOutput(framing: .stream)
        var bytes = 0
        var contentBytes = 0
        for read in reads {
            parser.append(read)
            bytes += read.readableBytes
            while let event = try parser.next() {
                switch event {
                case .head(let head): _ = try session.receivedHead(head, now: .uptimeNanoseconds(0), into: &output)
                case .body(let body):
                    var action = session.receivedBody(body, into: &output)
                    while case .deliver(_, _, let content) = action {
                        contentBytes += content.readableBytes
                        action = session.takeReady()
                    }
                case .end(let flag): _ = session.receivedEnd(flag, into: &output)
                }
            }
            _ = output.take()
        }
        precondition(contentBytes == Self.totalBytes, "content was lost")
        return bytes
    }

    /// All that a sender does but the socket: cutting, choosing ids, printing.
    private static func print(_ content: ByteBuffer, chunkBytes: Int) throws -> Int {
        var session = try Self.sender(chunkBytes: chunkBytes, content: content)
        var output = FrameOutput(framing: .stream)
        var bytes = 0
        while session.writeNext(now: .uptimeNanoseconds(0), into: &output) != nil {
            if output.byteCount > 256 * 1024 { bytes += output.take().reduce(0) { $0 + $1.readableBytes } }
        }
        return bytes + output.take().reduce(0) { $0 + $1.readableBytes }
    }
}
