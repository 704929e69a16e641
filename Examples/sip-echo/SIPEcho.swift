import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport

/// `sip-echo [HOST [PORT]]`: listens on UDP and TCP of one port and echoes until it is stopped.
@main
enum SIPEcho {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let host = arguments.count > 1 ? arguments[1] : "127.0.0.1"
        let port = arguments.count > 2 ? Int(arguments[2]) ?? 5060 : 5060
        let ringing = arguments.count > 3 ? Int64(arguments[3]) ?? 20 : 20
        let address = try await Self.listen(host, port, ringing: .milliseconds(ringing))
        // Not print: whoever started us waits for this line, and a pipe would keep it.
        FileHandle.standardOutput.write(Data("sip-echo listens on \(host):\(address.port ?? port)\n".utf8))
        // The stack and the agent hold each other; only the end of the process ends them.
        try await Task.sleep(for: .seconds(Int64(Int32.max)))
    }

    /// Opens both sockets on one port.
    ///
    /// - Parameter attempts: How many ports to try when any will do: the kernel gives one that UDP has free, and somebody
    ///   may have it for TCP.
    private static func listen(
        _ host: String,
        _ port: Int,
        ringing: TimeAmount,
        attempts: Int = 10
    ) async throws -> SocketAddress {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let stack = try await loop.submit {
            let agent = EchoUserAgent(realm: "echo", password: "secret", ringing: ringing)
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: agent)
            agent.stack = stack
            return stack
        }.get()
        do {
            return try await loop.flatSubmit {
                stack.listen(.udp, host: host, port: port).flatMap { address in
                    stack.listen(.tcp, host: host, port: address.port ?? port)
                }
            }.get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE && port == 0 && attempts > 1 {
            try await loop.flatSubmit { stack.close() }.get()
            return try await Self.listen(host, port, ringing: ringing, attempts: attempts - 1)
        }
    }
}
