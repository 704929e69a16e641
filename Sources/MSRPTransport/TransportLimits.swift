public import NIOCore

/// Every bound that the transport keeps, apart from those of ``MSRP/MSRPLimits``.
public struct TransportLimits: Sendable, Equatable {
    /// Sessions of one endpoint.
    public var maxSessions = 100_000
    /// Connections that one listener serves at a time; further ones are closed at once.
    public var maxConnections = 10_000
    /// Of these, how many one address may open.
    public var maxConnectionsPerAddress = 2_000
    /// Sessions bound to one connection.
    public var maxSessionsPerConnection = 256
    /// Requests for sessions that do not exist, or are bound elsewhere, after which a connection is closed: someone
    /// is guessing.
    public var maxRefusals = 16
    /// How long a connection to us may be without a session.
    public var unboundTimeout: TimeAmount = .seconds(20)
    /// How long a connection that we opened is kept for a next session to the same place.
    public var idleTimeout: TimeAmount = .seconds(10)
    /// How long TLS and the WebSocket upgrade may take.
    public var handshakeTimeout: TimeAmount = .seconds(10)
    /// Octets of answers that the peer has not read, above which nothing more is read from it.
    public var maxUnreadAnswerBytes = 256 * 1024
    /// Octets written to the socket in one go.
    public var flushBytes = 256 * 1024
    /// Octets in the channel's queue at which writing stops, and below which it goes on.
    public var writeHighWaterBytes = 512 * 1024
    /// Octets in the channel's queue below which writing goes on.
    public var writeLowWaterBytes = 128 * 1024
    /// Octets of one read from a socket.
    public var readBytes = 64 * 1024
    /// Octets of one WebSocket message, and so of one chunk.
    public var maxWebSocketMessageBytes = 256 * 1024
    /// Octets that a slow reader of ``SessionEvents`` may have waiting before nothing more is read for it.
    public var maxUnreadEventBytes = 1024 * 1024

    /// The default limits.
    public init() {}
}
