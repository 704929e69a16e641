import NIOCore
import NIOPosix
import SIP
import Testing

@testable import SIPTransport

@Suite("Stack over real sockets", .serialized, .timeLimit(.minutes(5)))
struct StackTests {
    @Test("A request and its answer over each transport", arguments: SIPTransportKind.allCases)
    func exchange(transport: SIPTransportKind) async throws {
        let contexts = try await TestCertificate.contexts()
        let server = try await Node.make { $0.serverTLS = contexts.server }
        let client = try await Node.make { $0.clientTLS = contexts.client }
        let address = try await server.listen(transport)
        if transport == .udp { _ = try await client.listen(.udp) }
        let destination = Destination(
            transport: transport,
            address: address,
            serverName: transport.isSecure ? "localhost" : nil
        )
        for index in 0..<3 {
            let body = String(repeating: "x", count: index * 400)
            let (event, _) = try await client.send(
                Requests.make(.message, body: body),
                to: .destinations([destination])
            )
            #expect(event.response?.status == 200)
        }
        let seen = try await server.run { server.agent.requests }
        #expect(seen.map(\.bodyLength) == [0, 400, 800])
        let via = try #require(seen.first).topVia()
        #expect(via.transport == transport.rawValue)
        #expect(via.receivedPort != nil)
        if transport != .udp {
            #expect(try await client.run { client.stack.connectionCount } == 1, "the connection is used again")
        }
        try await client.close()
        try await server.close()
    }

    @Test("A server certificate for another name is refused")
    func wrongName() async throws {
        let contexts = try await TestCertificate.contexts()
        let server = try await Node.make { $0.serverTLS = contexts.server }
        let client = try await Node.make { $0.clientTLS = contexts.client }
        let address = try await server.listen(.tls)
        let destination = Destination(transport: .tls, address: address, serverName: "example.org")
        let (event, _) = try await client.send(Requests.make(.options), to: .destinations([destination]))
        guard case .transportFailed = event else {
            Issue.record("a request went to a server with the wrong name: \(event)")
            return
        }
        #expect(try await server.run { server.agent.requests.isEmpty })
        try await client.close()
        try await server.close()
    }

    @Test("However many requests are sent again, one turn of the timers is scheduled at a time")
    func oneTurn() async throws {
        let silent = try await Node.make { _ in }
        let address = try await silent.listen(.udp)
        try await silent.close()
        let client = try await Node.make { $0.timers = TransactionTimers(t1: .milliseconds(10)) }
        _ = try await client.listen(.udp)
        let destination = Destination(transport: .udp, address: address, serverName: nil)
        for _ in 0..<40 {
            let request = Requests.make(.message)
            try await client.run { _ = client.stack.send(request, to: .destinations([destination])) { _, _ in } }
            try await Task.sleep(for: .milliseconds(5))
            #expect(try await client.run { client.stack.scheduledTurns } <= 1)
        }
        try await client.close()
    }

    @Test("A lost request is sent again, and a lost response too; the user sees one request")
    func loss() async throws {
        let server = try await Node.make { $0.timers = TransactionTimers(t1: .milliseconds(40)) }
        let client = try await Node.make { $0.timers = TransactionTimers(t1: .milliseconds(40)) }
        let address = try await server.listen(.udp)
        _ = try await client.listen(.udp)
        // The network in between loses the first two datagrams each way and doubles the others.
        let relay = try await LossyRelay.start(to: address, dropFirst: 2, copies: 2)
        let destination = Destination(transport: .udp, address: relay.address)
        let (event, _) = try await client.send(Requests.make(.message, body: "hi"), to: .destinations([destination]))
        #expect(event.response?.status == 200)
        #expect(try await server.run { server.agent.requests.count } == 1)
        try await relay.close()
        try await client.close()
        try await server.close()
    }

    @Test("Nobody answers: time-out after 64*T1, at the second place too")
    func timeout() async throws {
        let client = try await Node.make { $0.timers = TransactionTimers(t1: .milliseconds(5)) }
        let silent = try await DatagramBootstrap(group: client.loop).bind(host: "127.0.0.1", port: 0).get()
        _ = try await client.listen(.udp)
        let destination = Destination(transport: .udp, address: try #require(silent.localAddress))
        let (event, _) = try await client.send(Requests.make(.options), to: .destinations([destination, destination]))
        guard case .timedOut = event else {
            Issue.record("expected a time-out, got \(event)")
            return
        }
        #expect(try await client.run { client.stack.transactionCount } == 0)
        try await silent.close()
        try await client.close()
    }

    @Test("The next place is tried when a connection is refused")
    func failover() async throws {
        let server = try await Node.make()
        let client = try await Node.make()
        let address = try await server.listen(.tcp)
        let unused = try await ServerBootstrap(group: client.loop).bind(host: "127.0.0.1", port: 0).get()
        let dead = try #require(unused.localAddress)
        try await unused.close()
        let places = [dead, address].map { Destination(transport: .tcp, address: $0) }
        let (event, _) = try await client.send(Requests.make(.options), to: .destinations(places))
        #expect(event.response?.status == 200)
        try await client.close()
        try await server.close()
    }

    @Test("A request that is too large for a datagram goes over TCP")
    func sizeRule() async throws {
        let server = try await Node.make()
        let client = try await Node.make()
        let address = try await server.listen(.tcp)
        _ = try await client.listen(.udp)
        let destination = Destination(transport: .udp, address: address)
        let request = Requests.make(.message, body: String(repeating: "y", count: 1400))
        let (event, _) = try await client.send(request, to: .destinations([destination]))
        #expect(event.response?.status == 200)
        #expect(try await server.run { try server.agent.requests.first?.topVia().transport } == "TCP")
        try await client.close()
        try await server.close()
    }

    @Test("INVITE: ringing, failure with ACK, and CANCEL", arguments: [SIPTransportKind.udp, .tcp])
    func invite(transport: SIPTransportKind) async throws {
        let server = try await Node.make()
        let client = try await Node.make()
        let address = try await server.listen(transport)
        if transport == .udp { _ = try await client.listen(.udp) }
        let destination = Destination(transport: transport, address: address)
        try await server.run {
            server.agent.onRequest = { transaction in
                transaction.respond(180)
                if transaction.request.uriText?.contains("busy") == true { transaction.respond(486) }
            }
        }
        let busy = try await client.send(
            Requests.make(.invite, to: "sip:busy@127.0.0.1"),
            to: .destinations([destination])
        )
        #expect(busy.provisional == [180])
        #expect(busy.final.response?.status == 486)

        let promise = client.loop.makePromise(of: SIPStatus?.self)
        let stack = client.stack
        try await client.run {
            _ = stack.send(Requests.make(.invite), to: .destinations([destination])) { transaction, event in
                if event.response?.status == 180 { transaction.cancel(reason: "SIP;cause=200") }
                if let status = event.response?.status, status.isFinal { promise.succeed(status) }
            }
        }
        #expect(try await promise.futureResult.get() == 487)
        #expect(try await server.run { server.agent.cancels } == 1)
        try await client.close()
        try await server.close()
    }

    @Test("An INVITE that nobody answers for a while gets a 100")
    func trying() async throws {
        let server = try await Node.make { $0.tryingDelay = .milliseconds(50) }
        let client = try await Node.make()
        let address = try await server.listen(.tcp)
        try await server.run {
            server.agent.onRequest = { transaction in
                server.loop.assumeIsolated().scheduleTask(in: .milliseconds(200)) { transaction.respond(603) }
            }
        }
        let destination = Destination(transport: .tcp, address: address)
        let (event, provisional) = try await client.send(Requests.make(.invite), to: .destinations([destination]))
        #expect(provisional == [100])
        #expect(event.response?.status == 603)
        try await client.close()
        try await server.close()
    }

    @Test("A broken connection fails its transactions, and the user hears of the flow")
    func brokenConnection() async throws {
        let server = try await Node.make()
        let client = try await Node.make()
        let address = try await server.listen(.tcp)
        try await server.run { server.agent.onRequest = { server.stack.close($0.flow) } }
        let destination = Destination(transport: .tcp, address: address)
        let (event, _) = try await client.send(Requests.make(.options), to: .destinations([destination]))
        guard case .transportFailed = event else {
            Issue.record("expected a transport failure, got \(event)")
            return
        }
        #expect(try await client.run { client.agent.closedFlows.count } == 1)
        try await client.close()
        try await server.close()
    }

    @Test(
        "Pings are answered; a peer that does not answer them loses its connection",
        arguments: [SIPTransportKind.tcp, .ws]
    )
    func keepAlive(transport: SIPTransportKind) async throws {
        let server = try await Node.make()
        let client = try await Node.make { $0.pongTimeout = .milliseconds(200) }
        let address = try await server.listen(transport)
        let stack = client.stack
        let flow = try await client.loop.flatSubmit {
            stack.flow(to: Destination(transport: transport, address: address))
        }.get()
        try await client.run { stack.keepAlive(flow, every: .milliseconds(50)) }
        try await Task.sleep(for: .milliseconds(600))
        #expect(try await client.run { stack.isOpen(flow) }, "pongs keep it open")
        try await client.close()
        try await server.close()
        guard transport == .tcp else { return }

        let deaf = try await ServerBootstrap(group: client.loop).bind(host: "127.0.0.1", port: 0).get()
        let other = try await Node.make { $0.pongTimeout = .milliseconds(100) }
        let place = Destination(transport: .tcp, address: try #require(deaf.localAddress))
        let silent = try await other.loop.flatSubmit { other.stack.flow(to: place) }.get()
        try await other.run { other.stack.keepAlive(silent, every: .milliseconds(50)) }
        try await Task.sleep(for: .milliseconds(600))
        #expect(try await other.run { other.agent.closedFlows } == [silent])
        try await other.close()
        try await deaf.close()
    }

    @Test("Datagrams: STUN is answered with where it came from; a server that does not answer loses its flow")
    func datagramKeepAlive() async throws {
        let server = try await Node.make()
        let client = try await Node.make { $0.stunTimeout = .milliseconds(5) }
        let address = try await server.listen(.udp)
        let own = try await client.listen(.udp)
        let stack = client.stack
        let flow = try await client.loop.flatSubmit {
            stack.flow(to: Destination(transport: .udp, address: address))
        }.get()
        try await client.run { stack.keepAlive(flow, every: .milliseconds(50)) }
        try await Task.sleep(for: .milliseconds(700))
        #expect(try await client.run { stack.mappedAddress(flow) } == own)
        #expect(try await client.run { client.agent.closedFlows } == [])
        try await server.close()
        try await Task.sleep(for: .milliseconds(700))
        #expect(try await client.run { client.agent.closedFlows } == [flow])
        #expect(try await client.run { stack.mappedAddress(flow) } == nil)
        try await client.close()
    }

    @Test("A request that came over another way is refused, and one that came over many")
    func merged() async throws {
        let server = try await Node.make()
        let client = try await Node.make()
        let address = try await server.listen(.udp)
        _ = try await client.listen(.udp)
        let target = SIPStack.Target.destinations([Destination(transport: .udp, address: address)])
        var request = Requests.make(.options)
        // Each sending has a branch of its own, as if another proxy had forked it.
        #expect(try await client.send(request, to: target).final.response?.status == 200)
        #expect(try await client.send(request, to: target).final.response?.status == 482)
        request.set(.cSeq, "77 OPTIONS")
        request.set(.to, "<sip:b@127.0.0.1>;tag=known")
        var statuses: [SIPStatus?] = []
        for _ in 0..<18 { statuses.append(try await client.send(request, to: target).final.response?.status) }
        #expect(statuses == Array(repeating: 200, count: 16) + [482, 482])
        #expect(try await server.run { server.stack.transactionCount } == 17)
        try await client.close()
        try await server.close()
    }

    @Test(
        "A connection is used for requests to its sent-by only if the peer asks for it and has shown a certificate",
        arguments: [(";alias", true), ("", true), (";alias", false)]
    )
    func alias(parameter: String, hasCertificate: Bool) async throws {
        let tls = try await TestCertificate.mutual()
        let server = try await Node.make {
            $0.acceptsAliases = true
            $0.serverTLS = tls.server
            $0.clientTLS = tls.unknown
        }
        let flow = server.loop.makePromise(of: Flow.self)
        try await server.run {
            server.agent.onRequest = { transaction in
                transaction.respond(200)
                flow.succeed(transaction.flow)
            }
        }
        let peer = try await RawPeer.connect(
            try await server.listen(.tls),
            tls: hasCertificate ? tls.known : tls.unknown
        )
        // Nobody listens at the port of the sent-by: only the connection that is open can lead there.
        var request = Requests.make(.options)
        request.prepend(.via, "SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bKalias\(parameter)")
        try await peer.send(String(buffer: request.serialized()))
        _ = try await peer.read(until: "\r\n\r\n")
        let place = Destination(transport: .tls, address: try SocketAddress(ipAddress: "127.0.0.1", port: 1))
        let stack = server.stack
        let used = try? await server.loop.flatSubmit { stack.flow(to: place) }.get()
        let isAlias = hasCertificate && !parameter.isEmpty
        let own = try await flow.futureResult.get()
        #expect(used == (isAlias ? own : nil))
        try await peer.close()
        try await server.close()
    }

    @Test("RFC 3263 section 4.3: a 503 leads to the next place, but not what was cancelled", arguments: [false, true])
    func unavailable(isCancelled: Bool) async throws {
        let (first, second) = (try await Node.make(), try await Node.make())
        let client = try await Node.make()
        let places = try await [first.listen(.udp), second.listen(.udp)].map {
            Destination(transport: .udp, address: $0)
        }
        _ = try await client.listen(.udp)
        try await first.run {
            first.agent.statusOfCancelled = 503
            first.agent.onRequest = { $0.respond(isCancelled ? 180 : 503) }
        }
        let promise = client.loop.makePromise(of: SIPStatus?.self)
        let stack = client.stack
        try await client.run {
            _ = stack.send(Requests.make(.invite), to: .destinations(places)) { transaction, event in
                if event.response?.status == 180 { return transaction.cancel() }
                promise.succeed(event.response?.status)
            }
        }
        #expect(try await promise.futureResult.get() == (isCancelled ? 503 : 200))
        #expect(try await second.run { second.agent.requests.count } == (isCancelled ? 0 : 1))
        // The first one's transaction is not kept beside the second one's.
        if !isCancelled { #expect(try await client.run { stack.transactionCount } <= 1) }
        for node in [first, second, client] { try await node.close() }
    }

    @Test("The system asks after silence whether the other end is there, on connections of either side")
    func probes() async throws {
        let server = try await Node.make { $0.probeAfter = .seconds(60) }
        let client = try await Node.make { $0.probeAfter = .seconds(60) }
        let other = try await Node.make()
        let address = try await server.listen(.tcp)
        for (node, expected) in [(client, [1, 60, 15, 3]), (other, [0])] {
            let stack = node.stack
            _ = try await node.loop.flatSubmit {
                stack.flow(to: Destination(transport: .tcp, address: address))
            }.get()
            #expect(try await node.run { try Self.probing(stack) } == expected)
        }
        try await Self.wait { try await server.run { server.stack.connectionCount } == 2 }
        #expect(try await server.run { try Self.probing(server.stack) } == [1, 60, 15, 3])
        for node in [client, other, server] { try await node.close() }
    }

    /// Whether the system asks on a connection of the stack; and if so after how many seconds, how far apart, how often.
    private static func probing(_ stack: SIPStack) throws -> [Int] {
        let options = try #require(stack.connections.values.first?.channel.syncOptions)
        // What is read is as wide as the caller's: the system's own are half of it.
        func get(_ option: ChannelOptions.Types.SocketOption) throws -> Int {
            Int(UInt32(truncatingIfNeeded: try options.getOption(option)))
        }
        guard try get(.init(level: .socket, name: .so_keepalive)) != 0 else { return [0] }
        return try [1]
            + [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map {
                try get(.init(level: .tcp, name: .init(rawValue: $0)))
            }
    }

    @Test("Too many connections and too many transactions are refused by their limits")
    func limits() async throws {
        let server = try await Node.make {
            $0.maximumConnectionsPerAddress = 1
            $0.maximumTransactions = 1
        }
        let client = try await Node.make()
        let address = try await server.listen(.tcp)
        let udp = try await server.listen(.udp)
        _ = try await client.listen(.udp)
        try await server.run { server.agent.onRequest = { _ in } }
        let destination = Destination(transport: .udp, address: udp)
        let stack = client.stack
        try await client.run { _ = stack.send(Requests.make(.invite), to: .destinations([destination])) { _, _ in } }
        try await Task.sleep(for: .milliseconds(100))
        let (event, _) = try await client.send(Requests.make(.options), to: .destinations([destination]))
        #expect(event.response?.status == 503)
        #expect(event.response?.contains(.retryAfter) == true)

        let first = try await RawPeer.connect(address)
        let second = try await RawPeer.connect(address)
        try await second.waitForEnd()
        #expect(try await server.run { server.stack.connectionCount } == 1)
        try await first.close()
        try await client.close()
        try await server.close()
    }

    @Test("What others have under way leaves room for what is asked of others, and a CANCEL of nothing takes none")
    func room() async throws {
        let server = try await Node.make { $0.maximumTransactions = 4 }
        let client = try await Node.make()
        let udp = try await server.listen(.udp)
        let back = try await client.listen(.udp)
        try await server.run { server.agent.onRequest = { _ in } }
        let there = SIPStack.Target.destinations([Destination(transport: .udp, address: udp)])
        let (cancelled, _) = try await client.send(Requests.make(.cancel), to: there)
        #expect(cancelled.response?.status == 481)
        #expect(try await server.run { server.stack.transactionCount } == 0)
        let stack = client.stack
        for _ in 0..<3 {
            try await client.run { _ = stack.send(Requests.make(.invite), to: there) { _, _ in } }
        }
        try await Self.wait { try await server.run { server.stack.transactionCount } == 3 }
        let (refused, _) = try await client.send(Requests.make(.message), to: there)
        #expect(refused.response?.status == 503)
        let destination = Destination(transport: .udp, address: back)
        let (own, _) = try await server.send(Requests.make(.message), to: .destinations([destination]))
        #expect(own.response?.status == 200)
        try await client.close()
        try await server.close()
    }

    @Test(
        "Answers go to where a request came from, whatever its Via says",
        arguments: ["", ";rport", ";maddr=192.0.2.9"]
    )
    func returnAddress(parameter: String) throws {
        let via = try Via("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx;received=192.0.2.8\(parameter)")
        let flow = Flow(
            number: 1,
            transport: .udp,
            local: try SocketAddress(ipAddress: "192.0.2.1", port: 5060),
            remote: try SocketAddress(ipAddress: "192.0.2.2", port: 4000)
        )
        let address = ServerRecord.returnAddress(via, flow)
        #expect(address.ipAddress == "192.0.2.2")
        #expect(address.port == (parameter == ";rport" ? 4000 : 5070))
    }

    @Test("A connection that nobody asks to keep ends, and one that is kept stays")
    func unkept() async throws {
        let server = try await Node.make { $0.unprovenTimeout = .seconds(1) }
        let address = try await server.listen(.tcp)
        let stack = server.stack
        try await server.run {
            server.agent.onRequest = { transaction in
                if transaction.request.method == .message { stack.keep(transaction.flow) }
                transaction.respond(200)
            }
        }
        let (kept, left) = (try await RawPeer.connect(address), try await RawPeer.connect(address))
        for (peer, method) in [(kept, SIPMethod.message), (left, .options)] {
            var request = Requests.make(method)
            request.prepend(.via, "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK\(RandomText.token(8))")
            try await peer.send(String(buffer: request.serialized()))
            #expect(try await peer.read(until: "\r\n\r\n").hasPrefix("SIP/2.0 200"))
        }
        try await left.waitForEnd()
        #expect(try await server.run { stack.connectionCount } == 1)
        try await kept.close()
        try await server.close()
    }

    @Test("Bytes of a stream split anywhere; a broken request is answered and the connection closed")
    func streamSplits() async throws {
        let server = try await Node.make()
        let address = try await server.listen(.tcp)
        let peer = try await RawPeer.connect(address)
        let request =
            "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKsplit\r\nFrom: <sip:a@x>;tag=1\r\n"
            + "To: <sip:b@x>\r\nCall-ID: split\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        for byte in request.utf8 { try await peer.send(String(decoding: [byte], as: UTF8.self)) }
        let answer = try await peer.read(until: "\r\n\r\n")
        #expect(answer.hasPrefix("SIP/2.0 200 OK\r\n"))
        try await peer.send("\r\n\r\n")
        #expect(try await peer.read(until: "\r\n") == "\r\n")
        try await peer.send(
            request.replacing("Content-Length: 0", with: "Content-Length: -1").replacing("split", with: "bad")
        )
        #expect(try await peer.read(until: "\r\n\r\n").hasPrefix("SIP/2.0 400"))
        try await peer.waitForEnd()
        try await server.close()
    }

    private static func wait(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<1000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("it did not happen")
    }

    @Test(
        "Connections that others open and leave unused, before TLS or after, end soon and keep nobody from opening ours"
    )
    func unused() async throws {
        let contexts = try await TestCertificate.contexts()
        let server = try await Node.make {
            $0.serverTLS = contexts.server
            $0.clientTLS = contexts.client
            $0.maximumConnections = 2
            $0.messageTimeout = .seconds(2)
            $0.idleTimeout = .hours(1)
        }
        let other = try await Node.make { $0.serverTLS = contexts.server }
        let address = try await server.listen(.tls)
        let elsewhere = try await other.listen(.tls)
        var idle: [RawPeer] = []
        for _ in 0..<2 { idle.append(try await RawPeer.connect(address)) }
        try await Self.wait { try await server.run { server.stack.acceptedConnections } == 2 }
        try await RawPeer.connect(address).waitForEnd()
        let stack = server.stack
        let place = Destination(transport: .tls, address: elsewhere)
        _ = try await server.loop.flatSubmit { stack.flow(to: place) }.get()
        for peer in idle { try await peer.waitForEnd() }
        try await Self.wait { try await server.run { server.stack.acceptedPerAddress } == [:] }
        try await other.close()
        try await server.close()
    }

    @Test("A message that trickles in for too long, and a silent connection, are closed")
    func slowPeers() async throws {
        let server = try await Node.make {
            $0.messageTimeout = .milliseconds(200)
            $0.idleTimeout = .milliseconds(800)
        }
        let address = try await server.listen(.tcp)
        let slow = try await RawPeer.connect(address)
        try await slow.send("OPTIONS sip:b@x SIP/2.0\r\n")
        try await slow.waitForEnd()
        let silent = try await RawPeer.connect(address)
        try await silent.send("\r\n\r\n")
        try await silent.waitForEnd()
        #expect(try await server.run { server.stack.connectionCount } == 0)
        try await server.close()
    }
}
