import Foundation
import MSRP
import MSRPTransport
import NIOCore
import Testing

/// What endpoints say on the wire, as another implementation reads it.
@Suite(.timeLimit(.minutes(5)), .enabled(if: Tshark.isInstalled, "tshark is not installed")) struct CaptureTests {
    @Test func tsharkFindsNoFaultInATalk() async throws {
        var session = Session(
            .init(
                local: try MSRPURI(parsing: "msrp://a.example.com:7654/aaa;tcp"),
                remotePath: [try MSRPURI(parsing: "msrp://b.example.com:2855/bbb;tcp")],
                role: .active,
                seed: 3
            )
        )
        session.established()
        let id = session.sender.makeMessageID()
        let content = ByteBuffer(repeating: UInt8(ascii: "x"), count: 9000)
        let header = MessageHeader(
            id: id,
            contentType: "text/plain",
            size: UInt64(content.readableBytes),
            wantsSuccessReport: true
        )
        try session.sender.start(header)
        _ = try session.sender.supply(content, to: id)
        var capture = Capture()
        var peer = Session(
            .init(
                local: try MSRPURI(parsing: "msrp://b.example.com:2855/bbb;tcp"),
                remotePath: [try MSRPURI(parsing: "msrp://a.example.com:7654/aaa;tcp")],
                role: .passive,
                seed: 4
            )
        )
        peer.established()
        var output = FrameOutput(framing: .stream)
        while session.writeNext(now: .uptimeNanoseconds(0), into: &output) != nil {
            // One chunk, one segment; then the peer's answer to it, and at the end its report.
            let chunk = output.take().reduce(into: [UInt8]()) { $0 += Array($1.readableBytesView) }
            capture.add(chunk, fromServer: false)
            for frame in try Self.answers(to: chunk, by: &peer) { capture.add(frame, fromServer: true) }
        }
        #expect(capture.count >= 10)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("msrp-\(UUID()).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(capture.bytes).write(to: file)
        #expect(try await Tshark.count(file, "msrp") == capture.count, "every segment is MSRP")
        #expect(try await Tshark.count(file, "msrp.method == \"SEND\"") == 5)
        #expect(try await Tshark.count(file, "msrp.method == \"REPORT\"") >= 1)
        #expect(try await Tshark.count(file, "_ws.malformed || _ws.expert.severity >= 0x600000") == 0)
    }

    /// What an endpoint writes when it has read a chunk.
    private static func answers(to chunk: [UInt8], by peer: inout Session) throws -> [[UInt8]] {
        var output = FrameOutput(framing: .stream)
        var parser = FrameParser()
        parser.append(ByteBuffer(bytes: chunk))
        while let event = try parser.next() {
            switch event {
            case .head(let head): _ = try peer.receivedHead(head, now: .uptimeNanoseconds(0), into: &output)
            case .body(let body):
                var action = peer.receivedBody(body, into: &output)
                while case .deliver = action { action = peer.takeReady() }
            case .end(let flag): _ = peer.receivedEnd(flag, into: &output)
            }
        }
        // tshark reads the first frame of a segment only, so each gets its own; a response and a report have no content.
        let text = output.take().reduce("") { $0 + String(buffer: $1) }
        return text.components(separatedBy: "$\r\n").filter { !$0.isEmpty }.map { Array("\($0)$\r\n".utf8) }
    }
}

/// A capture file of one TCP connection (raw IPv4, link type 101), a segment for each piece.
private struct Capture {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    private var sent: [Bool: UInt32] = [false: 1, true: 1]

    init() {
        var file = ByteBuffer()
        file.writeInteger(UInt32(0xA1B2_C3D4))
        file.writeMultipleIntegers(UInt16(2), UInt16(4), UInt64(0), UInt32(65_535), UInt32(101))
        self.bytes = Array(file.readableBytesView)
    }

    mutating func add(_ payload: [UInt8], fromServer: Bool) {
        guard !payload.isEmpty else { return }
        self.count += 1
        let length = 40 + payload.count
        var packet = ByteBuffer()
        packet.writeMultipleIntegers(UInt32(self.count), UInt32(0), UInt32(length), UInt32(length))
        packet.writeBytes([0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 6, 0, 0])
        let (client, server): ([UInt8], [UInt8]) = ([192, 0, 2, 1], [192, 0, 2, 2])
        packet.writeBytes(fromServer ? server + client : client + server)
        packet.writeInteger(UInt16(fromServer ? 2855 : 7654))
        packet.writeInteger(UInt16(fromServer ? 7654 : 2855))
        packet.writeMultipleIntegers(self.sent[fromServer] ?? 1, self.sent[!fromServer] ?? 1)
        // Header of 20 octets; PSH and ACK; window; no checksum; not urgent.
        packet.writeMultipleIntegers(UInt8(0x50), UInt8(0x18), UInt16(65_535), UInt16(0), UInt16(0))
        packet.writeBytes(payload)
        self.sent[fromServer, default: 1] += UInt32(payload.count)
        self.bytes += Array(packet.readableBytesView)
    }
}

/// The outside program.
private enum Tshark {
    private static let program = "/usr/bin/tshark"
    static let isInstalled = FileManager.default.isExecutableFile(atPath: Tshark.program)

    /// How many frames of a capture pass a filter.
    static func count(_ file: URL, _ filter: String) async throws -> Int {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = [
            "-r", file.path, "-d", "tcp.port==2855,msrp", "-Y", filter, "-T", "fields", "-e", "frame.number",
        ]
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("tshark-\(UUID()).out")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: output) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                done.resume(throwing: error)
            }
        }
        #expect(status == 0)
        return try String(contentsOf: output, encoding: .utf8).split(separator: "\n").count
    }
}
