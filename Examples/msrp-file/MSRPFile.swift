import ArgumentParser
import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix

/// Sends a file from one end to another.
@main
struct MSRPFile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "msrp-file",
        abstract: "Send and receive a file over MSRP (RFC 4975).",
        discussion: """
            In one terminal:  msrp-file receive --port 2855 --output received.jpg
            It prints its path. In another one:  msrp-file send 'msrp://127.0.0.1:2855/...;tcp' picture.jpg
            """,
        subcommands: [Send.self, Receive.self]
    )

    /// The session id of the sender.
    ///
    /// There is no signalling here that would carry a random one to the receiver.
    static let senderID = "msrp-file-sender"

    static func senderURI() throws -> MSRPURI {
        try MSRPURI(secure: false, host: "sender.invalid", port: 2855, sessionID: Self.senderID)
    }
}

extension MSRPFile {
    struct Receive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Wait for a file.")

        @Option(help: "The address to listen on.") var host = "127.0.0.1"
        @Option(help: "The port to listen on.") var port = 2855
        @Option(help: "Where to put the file.") var output: String

        func run() async throws {
            let endpoint = MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton)
            let listener = try await endpoint.listen(host: self.host, port: self.port)
            let local = try MSRPURI(
                secure: false,
                host: self.host,
                port: UInt16(listener.localAddress?.port ?? self.port),
                sessionID: MSRPEndpoint.makeSessionID()
            )
            let events = SessionEvents()
            let session = try endpoint.makeSession(
                local: local,
                remotePath: [MSRPFile.senderURI()],
                role: .passive,
                handler: events
            ) { $0.acceptance = .explicit }
            session.start()
            say(local.text)
            guard FileManager.default.createFile(atPath: self.output, contents: nil),
                let file = FileHandle(forWritingAtPath: self.output)
            else { throw ValidationError("\(self.output) cannot be written") }
            for await event in events {
                switch event {
                case .began(let incoming): say("receiving \(incoming.contentType)")
                case .content(_, _, let bytes): try file.write(contentsOf: Data(bytes.readableBytesView))
                case .completed(let id, let size):
                    // The sender hears that it has arrived once it is on the disk.
                    try file.synchronize()
                    session.settle(id)
                    say("received \(size) octets")
                case .aborted: throw ValidationError("the sender gave up")
                case .interrupted:
                    // The sender hangs up when it has heard that all is well.
                    session.close()
                case .closed: return try await listener.close()
                case .established, .result: break
                }
            }
        }
    }

    struct Send: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send a file.")

        @Argument(help: "The path that the receiver prints.") var path: String
        @Argument(help: "The file.") var file: String
        @Option(help: "The type of its content.") var type = "application/octet-stream"

        func run() async throws {
            let endpoint = MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton)
            let session = try endpoint.makeSession(
                local: MSRPFile.senderURI(),
                remotePath: MSRPURI.path(parsing: self.path),
                role: .active,
                handler: SessionEvents()
            )
            session.start()
            let attributes = try FileManager.default.attributesOfItem(atPath: self.file)
            let size = (attributes[.size] as? NSNumber)?.uint64Value ?? 0
            var outgoing = MSRPSession.Outgoing(contentType: self.type, size: size)
            outgoing.wantsSuccessReport = true
            try await session.send(outgoing, content: FilePieces(path: self.file))
            say("sent \(size) octets")
            session.close()
        }
    }
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// The content of a file, read as it is asked for.
struct FilePieces: AsyncSequence, Sendable {
    struct AsyncIterator: AsyncIteratorProtocol {
        let handle: FileHandle

        mutating func next() async throws -> ByteBuffer? {
            guard let data = try self.handle.read(upToCount: 64 * 1024), !data.isEmpty else { return nil }
            return ByteBuffer(bytes: data)
        }
    }

    let path: String

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(handle: FileHandle(forReadingAtPath: self.path) ?? .nullDevice)
    }
}
