import ClientWire
import FoundationEssentials
import MessagingCore
import NIOSSL

/// The client's end of a WebSocket, which can also misbehave.
final class TestSocket: Sendable {
    struct Frame: Sendable {
        var opcode: UInt8
        var payload: [UInt8]

        /// The code of a close frame.
        var closeCode: UInt16? {
            guard opcode == 8, payload.count >= 2 else { return nil }
            return UInt16(payload[0]) << 8 | UInt16(payload[1])
        }

        var text: String { String(decoding: payload, as: UTF8.self) }
    }

    let connection: RawConnection

    /// Connects and upgrades.
    init(port: Int, tls: NIOSSLContext? = nil, receiveBuffer: Int? = nil) async throws {
        connection = try await RawConnection(port: port, tls: tls, receiveBuffer: receiveBuffer)
        let reply = try await connection.request("GET", "/v1/socket", fields: Self.upgrade)
        guard reply.status == 101, reply.fields["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" else {
            throw RawConnection.Ended()
        }
    }

    /// The opening handshake of RFC 6455, section 1.3.
    static let upgrade = [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]

    /// Bytes of one frame.
    static func frame(
        _ opcode: UInt8,
        _ payload: [UInt8],
        fin: Bool = true,
        masked: Bool = true,
        reserved: UInt8 = 0
    ) -> [UInt8] {
        var bytes = [(fin ? 0x80 : 0) | reserved << 4 | opcode]
        let mask: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(mask | UInt8(payload.count))
        case ..<65536: bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            bytes.append(mask | 127)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(payload.count >> shift & 255)) }
        }
        guard masked else { return bytes + payload }
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        bytes += key
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index & 3]) }
        return bytes
    }

    func send(_ text: String) async throws { try await connection.send(Self.frame(1, Array(text.utf8))) }

    func hello(_ token: String, cursor: String? = nil) async throws {
        try await send("{\"hello\":{\"token\":\"\(token)\"\(cursor.map { ",\"cursor\":\($0)" } ?? "")}}")
    }

    /// The next frame; pings are answered and passed over.
    func next(within seconds: Double = 10) async throws -> Frame {
        while true {
            let frame = try await connection.take(within: seconds, Self.parse)
            guard frame.opcode == 9 else { return frame }
            try await connection.send(Self.frame(10, frame.payload))
        }
    }

    /// The next text frame as a document.
    func document(within seconds: Double = 10) async throws -> ServerFrame {
        let frame = try await next(within: seconds)
        guard frame.opcode == 1 else { throw RawConnection.Ended() }
        return try JSONDecoder().decode(ServerFrame.self, from: Data(frame.payload))
    }

    /// Reads frames until one is what is looked for.
    func document(within seconds: Double = 10, where matches: (ServerFrame) -> Bool) async throws -> ServerFrame {
        while true {
            let frame = try await document(within: seconds)
            if matches(frame) { return frame }
        }
    }

    /// Passes over text frames to the close frame, answers it, and gives its code.
    func closeCode(within seconds: Double = 10) async throws -> UInt16? {
        while true {
            let frame = try await next(within: seconds)
            guard frame.opcode == 8 else { continue }
            try? await connection.send(Self.frame(8, Array(frame.payload.prefix(2))))
            return frame.closeCode
        }
    }

    static func parse(_ bytes: [UInt8]) -> (Frame, used: Int)? {
        guard bytes.count >= 2 else { return nil }
        var length = Int(bytes[1] & 0x7F)
        var start = 2
        let extended = length == 126 ? 2 : length == 127 ? 8 : 0
        guard bytes.count >= start + extended else { return nil }
        if extended > 0 {
            length = bytes[2..<2 + extended].reduce(0) { $0 << 8 | Int($1) }
            start += extended
        }
        guard bytes.count >= start + length else { return nil }
        return (Frame(opcode: bytes[0] & 15, payload: Array(bytes[start..<start + length])), start + length)
    }
}
