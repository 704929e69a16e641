import Foundation
import MSRP
import NIOSSL
import Testing

/// A provider of foreign make: SIPp speaks its SIP, a socket its MSRP word by word, and tunnels put both into TLS with the
/// certificate of its domain.
final class Foreign {
    let domain: String
    /// Where SIPp listens, and where others reach it by TLS.
    let port: Int
    let door: Tunnel
    /// Where MSRP comes in.
    let listener: RawListener
    let media: Tunnel
    let fingerprint: String

    /// - Parameter phone: what speaks its SIP, if that is not SIPp.
    init(_ domain: String = "b.example", phone: RawListener? = nil) async throws {
        self.domain = domain
        let files = try await Authority.shared.certificate(domain)
        port = try phone.map { Int($0.port) } ?? freePort()
        door = try await .inward(files, to: port)
        listener = try RawListener()
        media = try await .inward(files, to: Int(listener.port), capturing: .msrp)
        let leaf = try #require(try NIOSSLCertificate.fromPEMFile(files.certificate).first)
        fingerprint = CertificateFingerprint(ofCertificate: try leaf.toDERBytes()).text
    }

    /// The MSRP URI of its end.
    func path(_ session: String = "foreign") -> String { "msrps://127.0.0.1:\(media.port)/\(session);tcp" }

    func close() async {
        await door.close()
        await media.close()
    }

    /// Plays a scenario that waits for a call.
    func answer(_ name: String) async throws -> SIPpRun {
        let run = try SIPpRun(name, ["-p", "\(port)", "-t", "t1"], keys)
        _ = try await eventually("SIPp listens", seconds: 60) {
            if !run.isRunning { throw NeverHappened(what: "SIPp runs: \(run.errors)") }
            return try? RawSocket(port: UInt16(port))
        }
        return run
    }

    /// Plays a scenario that calls.
    func call(_ name: String, through tunnel: Tunnel, contribution: String) throws -> SIPpRun {
        var keys = keys
        keys["contribution"] = contribution
        return try SIPpRun(name, ["127.0.0.1:\(tunnel.port)", "-p", "\(try freePort())", "-t", "t1"], keys)
    }

    private var keys: [String: String] { ["path": path(), "fingerprint": fingerprint] }

    /// Takes the MSRP connection of the other side, and answers what binds it.
    func accept() async throws -> MSRPTalk {
        let socket = try await listener.accept()
        let bind = try #require(try await socket.frame(), "the connection was closed")
        let (local, remote) = (try #require(bind.header("To-Path")), try #require(bind.header("From-Path")))
        let talk = MSRPTalk(socket: socket, local: local, remote: remote)
        try talk.answer(bind)
        return talk
    }
}

/// One side of an MSRP session, spoken word by word.
struct MSRPTalk {
    let socket: RawSocket
    let local: String
    let remote: String

    func answer(_ frame: String, _ status: String = "200 OK") throws {
        let id = frame.transactionID
        try socket.send("MSRP \(id) \(status)\r\nTo-Path: \(remote)\r\nFrom-Path: \(local)\r\n-------\(id)$\r\n")
    }

    /// The next message of the other side, in as many chunks as it takes; each is answered.
    func message(_ status: String = "200 OK") async throws -> String {
        var content = ""
        while true {
            let frame = try #require(try await socket.frame(), "the connection was closed")
            guard frame.startLine.hasSuffix(" SEND") else { continue }
            content += frame.content ?? ""
            try answer(frame, status)
            if frame.hasSuffix("$\r\n"), frame.content != nil { return content }
        }
    }

    /// Sends a message in one chunk.
    /// - Returns: the status that it is answered with.
    func send(_ content: String, type: String = "message/cpim", id: String) async throws -> String {
        let size = content.utf8.count
        try socket.send(
            "MSRP \(id) SEND\r\nTo-Path: \(remote)\r\nFrom-Path: \(local)\r\nMessage-ID: \(id)\r\n"
                + "Byte-Range: 1-\(size)/\(size)\r\nContent-Type: \(type)\r\n\r\n\(content)\r\n-------\(id)$\r\n"
        )
        while true {
            let frame = try #require(try await socket.frame(), "the connection was closed")
            if frame.startLine.hasPrefix("MSRP \(id) ") {
                return frame.startLine.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
            }
            // What the other side says meanwhile.
            if frame.startLine.hasSuffix(" SEND") { try answer(frame) }
        }
    }
}

/// A text as another implementation writes it.
func cpim(_ text: String, from: String, to: String, id: String, type: String = "text/plain") -> String {
    """
    From: <\(from)>\r\nTo: <\(to)>\r\nDateTime: 2026-11-24T04:26:02.205Z\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
    imdn.Message-ID: \(id)\r\nimdn.Disposition-Notification: positive-delivery, display\r\n\r\n\
    Content-Type: \(type)\r\n\r\n\(text)
    """
}

/// SIPp at work.
final class SIPpRun: Sendable {
    static let path = ["/usr/bin/sipp", "/usr/local/bin/sipp"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private let process = Process()
    private let log = FileManager.default.temporaryDirectory.appendingPathComponent("sipp-\(UUID()).log")

    /// - Parameter name: a scenario beside these files.
    init(_ name: String, _ arguments: [String], _ keys: [String: String]) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let scenario = folder.appendingPathComponent("Scenarios/\(name).xml")
        process.executableURL = URL(fileURLWithPath: Self.path ?? "sipp")
        process.arguments =
            arguments + [
                "-sf", scenario.path, "-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "100", "-timeout_error",
                "-trace_err", "-error_file", log.path,
            ] + keys.flatMap { ["-key", $0.key, $0.value] }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What it found amiss.
    var errors: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Waits until all of the scenario has happened.
    func passes(_ place: SourceLocation = #_sourceLocation) async throws {
        _ = try await eventually("SIPp ends", seconds: 110, place) { process.isRunning ? nil : true }
        #expect(process.terminationStatus == 0, "\(errors)", sourceLocation: place)
        try? FileManager.default.removeItem(at: log)
    }
}
