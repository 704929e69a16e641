import Crypto
import Foundation
import MessagingCore
import MessagingService
import Testing

/// A file as another provider offers and sends it, word by word (RFC 5547).
struct RawFile {
    var bytes: [UInt8]
    var name = "beach.jpg"
    var type = "image/jpeg"
    /// What the offer says of it; what is true unless it is told otherwise.
    var size: Int?
    var hash: String?
    var transfer: String
    var direction = "sendonly"
    var setup = "actpass"
    var proto = "TCP/TLS/MSRP"
    /// More lines for the medium.
    var more: [String] = ["a=file-disposition:attachment", "a=file-date:creation:\"Mon, 30 Nov 2026 10:00:00 +0000\""]

    init(bytes: Int, seed: UInt8 = 7, transfer: String = "transfer-\(UUID().uuidString)") {
        self.bytes = Provider.content(bytes: bytes, at: 0, seed: seed)
        self.transfer = transfer
    }

    static func sha1(_ bytes: [UInt8]) -> String {
        Insecure.SHA1.hash(data: bytes).map { String(format: "%02X", $0) }.joined(separator: ":")
    }

    var selector: String {
        "name:\"\(name)\" type:\(type) size:\(size ?? bytes.count) hash:sha-1:\(hash ?? Self.sha1(bytes))"
    }

    /// Its line in an offer.
    func medium(_ foreign: Foreign, session: String = "file") -> String {
        let path = foreign.path(session)
        let lines = [
            "m=message 9 \(proto) *", "a=accept-types:message/cpim \(type)", "a=accept-wrapped-types:*",
            "a=path:\(proto == "TCP/MSRP" ? path.replacing("msrps:", with: "msrp:") : path)", "a=setup:\(setup)",
            "a=fingerprint:\(foreign.fingerprint)", "a=\(direction)", "a=file-selector:\(selector)",
            transfer.isEmpty ? "a=x" : "a=file-transfer-id:\(transfer)",
        ]
        return (lines + more).joined(separator: "\r\n") + "\r\n"
    }

    static let head = "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

    /// As the content of a message.
    func wrapped(from: String, to: String, id: String) -> [UInt8] {
        Array(cpim("", from: from, to: to, id: id, type: type).utf8) + bytes
    }
}

extension RawPeerTests.Pair {
    static let fileTag = "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.filetransfer\""

    /// Calls with a file.
    func offer(
        _ sip: RawSIP,
        _ body: String,
        call: String = UUID().uuidString,
        from: Address = RawPeerTests.bob,
        asserted: Address? = nil,
        to: Address? = nil,
        _ headers: [String] = []
    ) async throws -> String {
        let named = ["P-Asserted-Identity: <\(asserted ?? from)>", "Accept-Contact: *;\(Self.fileTag)"] + headers
        let to = to ?? alice.address
        try sip.send("INVITE", from: from.description, to: to.description, call: call, named, body: body)
        let answer = try await sip.answer(1)
        try sip.acknowledge(answer)
        return answer
    }

    /// The MSRP session that an answer leads to; it is bound.
    func talk(_ answer: String, session: String = "file") async throws -> (MSRPTalk, Tunnel) {
        let lines = answer.components(separatedBy: "\r\n")
        let path = try #require(lines.last { $0.hasPrefix("a=path:") }?.dropFirst("a=path:".count))
        let port = try #require(path.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        let files = try await Authority.shared.certificate(foreign.domain)
        let tunnel = try await Tunnel.outward(files, to: port, name: "a.example")
        let socket = try RawSocket(port: UInt16(tunnel.port))
        let talk = MSRPTalk(socket: socket, local: foreign.path(session), remote: String(path))
        try socket.send(
            "MSRP bind0001 SEND\r\nTo-Path: \(talk.remote)\r\nFrom-Path: \(talk.local)\r\nMessage-ID: bind0001\r\n"
                + "Byte-Range: 1-0/0\r\n-------bind0001$\r\n"
        )
        #expect(try await socket.frame()?.startLine == "MSRP bind0001 200 OK")
        return (talk, tunnel)
    }
}

extension MSRPTalk {
    /// Sends a message of octets in chunks, from one of them on.
    /// - Returns: the status that the last chunk is answered with, or the first that is no success.
    func send(
        _ bytes: [UInt8],
        from first: Int = 0,
        until end: Int? = nil,
        total: Int? = nil,
        type: String,
        id: String = "file0001",
        chunk: Int = 2048
    ) async throws -> String {
        var offset = first
        let end = end ?? bytes.count
        while offset < end {
            let next = min(end, offset + chunk)
            let name = "chunk\(offset)x\(id.suffix(4))"
            let flag = next == bytes.count ? "$" : "+"
            let head =
                "MSRP \(name) SEND\r\nTo-Path: \(remote)\r\nFrom-Path: \(local)\r\nMessage-ID: \(id)\r\n"
                + "Byte-Range: \(offset + 1)-\(next)/\(total ?? bytes.count)\r\nContent-Type: \(type)\r\n\r\n"
            try socket.send(Array(head.utf8) + bytes[offset..<next] + Array("\r\n-------\(name)\(flag)\r\n".utf8))
            let status = try await status(of: name)
            guard status == "200", next < end else { return status }
            offset = next
        }
        return "200"
    }

    private func status(of transaction: String) async throws -> String {
        while true {
            let frame = try #require(try await socket.frame(), "the connection was closed")
            if frame.startLine.hasPrefix("MSRP \(transaction) ") {
                return frame.startLine.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
            }
        }
    }
}
