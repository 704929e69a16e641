public import NIOCore

/// A REFER as its receiver reads it (RFC 3515, RFC 4488, RFC 5368).
public struct Refer: Sendable, Hashable {
    /// Whom or what to contact.
    public let target: NameAddress
    /// Who asks, as it says itself (RFC 3892); to be shown, not to be trusted.
    public let referredBy: NameAddress?
    /// Whether the sender wants NOTIFYs (RFC 4488); false only when it said so.
    public let wantsSubscription: Bool
    /// The Replaces value for the INVITE, when the target carries one.
    public let replaces: DialogReference?
    /// The method to use, INVITE unless the target names another.
    public let method: SIPMethod
    /// The key of the implicit subscription: `refer` with the CSeq number as id.
    public let event: EventKey

    /// Reads a REFER.
    ///
    /// - Throws: ``SIPError/Code/notAllowed`` for another method, ``SIPError/Code/missingHeader`` or
    ///   ``SIPError/Code/repeatedHeader`` when there is not exactly one Refer-To (answer 400 to all of them), and what
    ///   the values throw.
    public init(_ request: SIPMessage) throws(SIPError) {
        guard request.method == .refer else { throw SIPError(.notAllowed, "not a REFER") }
        guard let target = try request.value(.referTo, as: NameAddress.self) else {
            throw SIPError(.missingHeader, "REFER needs one Refer-To")
        }
        self.target = target
        self.referredBy = try request.value(.referredBy)
        let subscription = try request.value(.referSub, as: TokenWithParameters.self)
        self.wantsSubscription = subscription?.text.lowercased() != "false"
        self.method = target.uri.sip?.parameters["method"].map { SIPMethod(rawValue: $0) } ?? .invite
        let header = target.uri.sip?.headers.first { $0.name.lowercased() == "replaces" }
        if let text = header?.decodedValue {
            self.replaces = try DialogReference(text)
        } else {
            self.replaces = nil
        }
        self.event = EventKey(package: "refer", id: "\(try request.cSeq().number)")
    }

    /// The URI to send to, without the headers and the method that only tell how.
    public var targetURI: URI {
        guard case .sip(var uri) = self.target.uri else { return self.target.uri }
        uri.headers = []
        uri.parameters["method"] = nil
        return .sip(uri)
    }

    /// The body of a NOTIFY about the progress: a status line as `message/sipfrag` (RFC 3420).
    public static func fragment(_ status: SIPStatus) -> ByteBuffer { ByteBuffer(string: "SIP/2.0 \(status)\r\n") }

    /// The status in a `message/sipfrag` body, or nil when it does not start with a status line.
    public static func status(in body: ByteBuffer) -> SIPStatus? {
        guard let text = body.getString(at: body.readerIndex, length: min(body.readableBytes, 12)),
            text.hasPrefix("SIP/2.0 "), let number = UInt16(text.dropFirst(8).prefix(3))
        else { return nil }
        return SIPStatus(rawValue: number)
    }
}
