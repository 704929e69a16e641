public import NIOCore

/// The rules for MSRP on WebSockets (RFC 7977).
public enum WebSocketFraming {
    /// The value of `Sec-WebSocket-Protocol`, which both ends must name (section 4.1).
    public static let subprotocol = "msrp"

    /// Takes a WebSocket message, text or binary, which has to be exactly one chunk (section 5.1).
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/notOneFramePerMessage``, or what the frame parser throws.
    public static func events(in message: ByteBuffer, limits: MSRPLimits = .init()) throws(MSRPError) -> [FrameEvent] {
        var parser = FrameParser(limits: limits)
        parser.append(message)
        var events: [FrameEvent] = []
        var ended = false
        while let event = try parser.next() {
            guard !ended else { throw MSRPError(.notOneFramePerMessage, "octets after the chunk") }
            if case .end = event { ended = true }
            events.append(event)
        }
        guard ended, parser.isBetweenFrames else {
            throw MSRPError(.notOneFramePerMessage, "the message does not end with the chunk")
        }
        return events
    }

    /// The URI of a client that nobody can connect to: an invalid host, a session id, `;ws` (section 5.2).
    public static func clientURI(using generator: inout some RandomNumberGenerator) throws(MSRPError) -> MSRPURI {
        let host = MSRPURI.makeSessionID(using: &generator).filter { $0 != "-" && $0 != "_" }.lowercased()
        return try MSRPURI(
            secure: true,
            host: "h\(host).invalid",
            port: MSRPURI.defaultPort,
            sessionID: MSRPURI.makeSessionID(using: &generator),
            transport: "ws"
        )
    }
}
