import Foundation
import Testing

/// SIP spoken word by word, by a user of another provider.
struct RawSIP {
    let socket: RawSocket
    let foreign: Foreign
    let tag = "raw"

    /// The next request of a method; what comes before it is passed over.
    func request(_ method: String) async throws -> String {
        while true {
            let message = try #require(try await socket.message(), "the connection was closed")
            if message.hasPrefix("\(method) ") { return message }
        }
    }

    /// The next final answer to a request of a number.
    func answer(_ number: Int, _ method: String? = nil) async throws -> String {
        while true {
            let message = try #require(try await socket.message(), "the connection was closed")
            guard message.hasPrefix("SIP/2.0 "), !message.hasPrefix("SIP/2.0 1") else { continue }
            let sequence = message.header("CSeq") ?? ""
            if method.map({ sequence == "\(number) \($0)" }) ?? sequence.hasPrefix("\(number) ") { return message }
        }
    }

    func respond(_ request: String, _ status: String, _ headers: [String] = [], body: String = "") throws {
        let to = request.header("To") ?? ""
        var lines = ["SIP/2.0 \(status)"]
        lines += request.components(separatedBy: "\r\n").filter { $0.hasPrefix("Via:") }
        lines += ["From", "Call-ID", "CSeq"].map { "\($0): \(request.header($0) ?? "")" }
        lines += ["To: \(to.contains(";tag=") ? to : "\(to);tag=\(tag)")", contact] + headers
        try send(lines, body)
    }

    private var contact: String { "Contact: <sip:bob@127.0.0.1:\(foreign.door.port);transport=tls>" }

    private func send(_ lines: [String], _ body: String) throws {
        let isTyped = body.isEmpty || lines.contains { $0.hasPrefix("Content-Type:") }
        let type = isTyped ? [] : ["Content-Type: application/sdp"]
        let all = lines + type + ["Content-Length: \(body.utf8.count)"]
        try socket.send(all.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// A request within the dialog of an INVITE that came in.
    func send(
        _ method: String,
        _ number: Int,
        within invite: String,
        _ headers: [String] = [],
        body: String = ""
    ) throws {
        let target = invite.header("Contact")?.split(separator: ">").first?.dropFirst() ?? "sip:alice@a.example"
        try send(
            [
                "\(method) \(target) SIP/2.0",
                "Via: SIP/2.0/TLS 127.0.0.1:\(foreign.door.port);branch=\(branch(number, method, invite))",
                "From: \(invite.header("To") ?? "");tag=\(tag)", "To: \(invite.header("From") ?? "")",
                "Call-ID: \(invite.header("Call-ID") ?? "")", "CSeq: \(number) \(method)", "Max-Forwards: 70", contact,
            ] + headers,
            body
        )
    }

    /// Acknowledges a 2xx to a request of its own.
    func acknowledge(_ answer: String, body: String = "") throws {
        try send(
            [
                "ACK \(target(answer)) SIP/2.0",
                "Via: SIP/2.0/TLS 127.0.0.1:\(foreign.door.port);branch=z9hG4bK\(UUID().uuidString)",
            ] + ["From", "To", "Call-ID"].map { "\($0): \(answer.header($0) ?? "")" } + [
                "CSeq: \(answer.header("CSeq")?.split(separator: " ").first ?? "1") ACK", "Max-Forwards: 70",
            ],
            body
        )
    }

    private func target(_ message: String) -> Substring {
        message.header("Contact")?.split(separator: ">").first?.dropFirst() ?? "sip:alice@a.example"
    }

    /// A request within the dialog that a request of its own has made.
    func send(
        _ method: String,
        _ number: Int,
        after answer: String,
        _ headers: [String] = [],
        body: String = ""
    ) throws {
        try send(
            [
                "\(method) \(target(answer)) SIP/2.0",
                "Via: SIP/2.0/TLS 127.0.0.1:\(foreign.door.port);branch=z9hG4bK\(UUID().uuidString)",
            ] + ["From", "To", "Call-ID"].map { "\($0): \(answer.header($0) ?? "")" } + [
                "CSeq: \(number) \(method)", "Max-Forwards: 70", contact,
            ] + headers,
            body
        )
    }

    /// Takes an INVITE within a dialog back.
    func cancel(_ number: Int, within invite: String) throws { try send("CANCEL", number, within: invite) }

    /// A CANCEL is of the transaction that it ends; everything else has one of its own.
    private func branch(_ number: Int, _ method: String, _ invite: String) -> String {
        let name = method == "CANCEL" ? "INVITE" : method
        return "z9hG4bK\(invite.header("Call-ID") ?? "")\(number)\(name)"
    }

    /// A request of its own.
    func send(
        _ method: String,
        from: String,
        to: String,
        call: String,
        _ headers: [String] = [],
        body: String = ""
    ) throws {
        try send(
            [
                "\(method) \(to) SIP/2.0",
                "Via: SIP/2.0/TLS 127.0.0.1:\(foreign.door.port);branch=z9hG4bK\(UUID().uuidString)",
                "From: <\(from)>;tag=\(tag)", "To: <\(to)>", "Call-ID: \(call)", "CSeq: 1 \(method)",
                "Max-Forwards: 70",
                contact,
            ] + headers,
            body
        )
    }

    /// A description of its end of a conversation.
    func description(
        _ version: Int,
        setup: String = "passive",
        direction: String = "sendrecv",
        session: String = "foreign"
    )
        -> String
    {
        """
        v=0\r\no=- 7 \(version) IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/TLS/MSRP *\r\n\
        a=accept-types:message/cpim application/im-iscomposing+xml\r\na=accept-wrapped-types:text/plain message/imdn+xml\r\n\
        a=path:\(foreign.path(session))\r\na=setup:\(setup)\r\na=fingerprint:\(foreign.fingerprint)\r\na=\(direction)\r\n
        """
    }
}
