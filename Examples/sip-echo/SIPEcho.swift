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
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await loop.flatSubmit {
            let agent = EchoUserAgent(realm: "echo", password: "secret", ringing: .milliseconds(ringing))
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: agent)
            agent.stack = stack
            return stack.listen(.udp, host: host, port: port).flatMap { address in
                stack.listen(.tcp, host: host, port: address.port ?? port)
            }.map { address in
                // Not print: whoever started us waits for this line, and a pipe would keep it.
                FileHandle.standardOutput.write(Data("sip-echo listens on \(address)\n".utf8))
            }
        }.get()
        // The stack and the agent hold each other; only the end of the process ends them.
        try await Task.sleep(for: .seconds(Int64(Int32.max)))
    }
}
