import ClientWire
import FoundationEssentials
import MessagingCore

/// An HTTP answer as it came over the wire.
struct Reply: Sendable {
    var status: Int
    var fields: [String: String]
    var body: [UInt8]

    /// Takes one answer from the front of the bytes; nil until it is complete.
    static func parse(_ bytes: [UInt8], toHead: Bool = false) -> (Reply, used: Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        let hasBody = !toHead && status >= 200 && status != 204 && status != 304
        let length = hasBody ? fields["content-length"].flatMap { Int($0) } ?? 0 : 0
        guard bytes.count >= end.upperBound + length else { return nil }
        let body = Array(bytes[end.upperBound..<end.upperBound + length])
        return (Reply(status: status, fields: fields, body: body), end.upperBound + length)
    }

    func json<T: Decodable>(_ type: T.Type) throws -> T { try JSONDecoder().decode(type, from: Data(body)) }

    /// What the server refused, and how; nil when it is no problem document.
    var problem: Problem? {
        guard fields["content-type"] == "application/problem+json" else { return nil }
        return try? json(Problem.self)
    }

    var code: String? { problem?.code.rawValue }

    var text: String { String(decoding: body, as: UTF8.self) }
}

extension RawConnection {
    /// Sends a request and waits for its answer.
    func request(
        _ method: String,
        _ path: String,
        token: String? = nil,
        json: String? = nil,
        body: [UInt8]? = nil,
        fields: [(String, String)] = [],
        host: String? = "localhost"
    ) async throws -> Reply {
        var head = "\(method) \(path) HTTP/1.1\r\n"
        if let host { head += "Host: \(host)\r\n" }
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        let bytes = json.map { Array($0.utf8) } ?? body
        if json != nil { head += "Content-Type: application/json\r\n" }
        if let bytes { head += "Content-Length: \(bytes.count)\r\n" }
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        try await send(Array((head + "\r\n").utf8) + (bytes ?? []))
        return try await reply(toHead: method == "HEAD")
    }

    /// The next answer that is not merely informational.
    func reply(toHead: Bool = false, within seconds: Double = 20) async throws -> Reply {
        while true {
            let reply = try await take(within: seconds) { Reply.parse($0, toHead: toHead) }
            if reply.status >= 200 || reply.status == 101 { return reply }
        }
    }
}
