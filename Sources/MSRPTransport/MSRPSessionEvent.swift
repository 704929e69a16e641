public import MSRP
public import NIOCore

/// What happens in a session.
public enum MSRPSessionEvent: Sendable {
    /// Messages can flow; `resumed` when they could before, until the connection broke.
    case established(resumed: Bool)
    /// The connection broke; the session goes on when there is a new one.
    case interrupted
    /// A message begins to arrive.
    case began(Session.Incoming)
    /// The next octets of a message, in order and without gaps.
    case content(MessageID, offset: UInt64, ByteBuffer)
    /// All of a message has arrived. With ``MSRP/Session/Acceptance/explicit`` call
    /// ``MSRPSession/settle(_:_:)``.
    case completed(MessageID, size: UInt64)
    /// A message that had begun will not become complete.
    case aborted(MessageID)
    /// What became of a message that we sent.
    case result(MessageSender.Result)
    /// The session is over; nothing follows.
    case closed(MSRPError)
}

/// Takes the events of a session, on the event loop on which the session lives.
public protocol MSRPSessionHandler: Sendable {
    /// Called for each event, in order. It must not block.
    func session(_ session: MSRPSession, did event: MSRPSessionEvent)
}
