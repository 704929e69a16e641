import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

/// Two endpoints and a listener on loopback.
struct Pair {
    let alice: MSRPEndpoint
    let bob: MSRPEndpoint
    let listener: MSRPListener
    let port: UInt16

    static func start(
        alice: MSRPEndpoint.Configuration = .init(),
        bob: MSRPEndpoint.Configuration = .init(),
        kind: MSRPListener.Kind = .stream,
        tls: NIOSSLContext? = nil
    ) async throws -> Pair {
        let group = MultiThreadedEventLoopGroup.singleton
        let bobEnd = MSRPEndpoint(group: group, configuration: bob)
        let listener = try await bobEnd.listen(host: "127.0.0.1", port: 0, tls: tls, kind: kind)
        return Pair(
            alice: MSRPEndpoint(group: group, configuration: alice),
            bob: bobEnd,
            listener: listener,
            port: UInt16(try #require(listener.localAddress?.port))
        )
    }

    /// The URIs of a session, Alice's first.
    func uris(secure: Bool = false, transport: String = "tcp") throws -> (alice: MSRPURI, bob: MSRPURI) {
        (
            try MSRPURI(
                secure: secure,
                host: "alice.invalid",
                port: 7654,
                sessionID: MSRPEndpoint.makeSessionID(),
                transport: transport
            ),
            try MSRPURI(
                secure: secure,
                host: "127.0.0.1",
                port: self.port,
                sessionID: MSRPEndpoint.makeSessionID(),
                transport: transport
            )
        )
    }

    struct Ends {
        let alice: MSRPSession
        let aliceEvents: SessionEvents
        let bob: MSRPSession
        let bobEvents: SessionEvents
    }

    /// A session that Alice opens, both ends started.
    func open(
        secure: Bool = false,
        transport: String = "tcp",
        maxUnreadBytes: Int = 1 << 20,
        configureAlice: (inout Session.Configuration) -> Void = { _ in },
        configureBob: (inout Session.Configuration) -> Void = { _ in }
    ) throws -> Ends {
        let uris = try self.uris(secure: secure, transport: transport)
        let bobEvents = SessionEvents(maxUnreadBytes: maxUnreadBytes)
        let bob = try self.bob.makeSession(
            local: uris.bob,
            remotePath: [uris.alice],
            role: .passive,
            handler: bobEvents,
            configure: configureBob
        )
        bob.start()
        let aliceEvents = SessionEvents()
        let alice = try self.alice.makeSession(
            local: uris.alice,
            remotePath: [uris.bob],
            role: .active,
            handler: aliceEvents,
            configure: configureAlice
        )
        alice.start()
        return Ends(alice: alice, aliceEvents: aliceEvents, bob: bob, bobEvents: bobEvents)
    }
}

/// Gathers the messages that arrive, until `count` are complete.
func receive(_ count: Int, from events: SessionEvents) async -> [(type: String, content: [UInt8])] {
    var types: [MessageID: String] = [:]
    var contents: [MessageID: [UInt8]] = [:]
    var done: [(String, [UInt8])] = []
    for await event in events {
        switch event {
        case .began(let incoming):
            types[incoming.id] = incoming.contentType
            contents[incoming.id] = []
        case .content(let id, let offset, let bytes):
            precondition(offset == UInt64(contents[id]?.count ?? -1), "out of order")
            contents[id]?.append(contentsOf: bytes.readableBytesView)
        case .completed(let id, _):
            done.append((types[id] ?? "", contents[id] ?? []))
            if done.count == count { return done }
        default: break
        }
    }
    return done
}

/// The first event that a closure makes something of.
func first<Value>(_ events: SessionEvents, where pick: (MSRPSessionEvent) -> Value?) async -> Value? {
    for await event in events {
        if let value = pick(event) { return value }
    }
    return nil
}

/// Why a session is over, once it is.
func closeReason(_ events: SessionEvents) async -> MSRPError.Code? {
    await first(events) { event -> MSRPError.Code? in
        if case .closed(let error) = event { error.code } else { nil }
    }
}
