import ByteGrammar

/// Who a request is from, as the network asserts it (RFC 3325, RFC 3323).
public enum AssertedIdentity {
    /// A request entered the trust domain from a sender that was authenticated.
    ///
    /// What the sender asserts by itself is removed; of its identities the preferred one is asserted, or the first
    /// (RFC 3325 section 5).
    ///
    /// - Parameter identities: The identities of the authenticated sender, the default one first. Empty when it is not
    ///   authenticated: then nothing is asserted.
    /// - Throws: What P-Preferred-Identity throws.
    public static func assert(_ request: inout SIPMessage, identities: [NameAddress]) throws(SIPError) {
        let preferred = try request.list(.pPreferredIdentity, as: NameAddress.self)
        request.remove(.pAssertedIdentity)
        request.remove(.pPreferredIdentity)
        let chosen = identities.first { own in preferred.contains { $0.uri.isEquivalent(to: own.uri) } }
        guard let identity = chosen ?? identities.first else { return }
        request.append(.pAssertedIdentity, identity.description)
    }

    /// A message leaves the trust domain: an identity whose owner asked for privacy stays behind (RFC 3325 section 7).
    ///
    /// - Parameter isTrusted: Whether the next hop belongs to the trust domain.
    public static func release(_ message: inout SIPMessage, isTrusted: Bool) {
        guard !isTrusted else { return }
        message.remove(.pPreferredIdentity)
        let wishes = message.texts(.privacy).flatMap {
            $0.split(whereSeparator: { $0 == ";" || $0 == " " || $0 == "," })
        }
        if wishes.contains(where: { ASCII.equalIgnoringCase(String($0), "id") }) { message.remove(.pAssertedIdentity) }
    }

    /// The asserted identities of a message from a trusted peer; at most one SIP and one tel URI count.
    ///
    /// - Throws: What P-Asserted-Identity throws.
    public static func identities(_ message: SIPMessage) throws(SIPError) -> [NameAddress] {
        var seen: Set<String> = []
        return try message.list(.pAssertedIdentity, as: NameAddress.self).filter {
            seen.insert($0.uri.scheme == "sips" ? "sip" : $0.uri.scheme).inserted
        }
    }
}

/// Option tags of extensions, as they stand in Supported, Require and Proxy-Require.
public enum OptionTag {
    /// Reliable provisional responses (RFC 3262).
    public static let reliableProvisional = "100rel"
    /// GRUU (RFC 5627).
    public static let gruu = "gruu"
    /// Join (RFC 3911).
    public static let join = "join"
    /// Several targets of one REFER (RFC 5368).
    public static let multipleRefer = "multiple-refer"
    /// REFER without a subscription (RFC 4488).
    public static let noReferSub = "norefersub"
    /// Outbound (RFC 5626).
    public static let outbound = "outbound"
    /// Path (RFC 3327).
    public static let path = "path"
    /// Recipients of an INVITE in its body (RFC 5366).
    public static let recipientListInvite = "recipient-list-invite"
    /// Recipients of a MESSAGE in its body (RFC 5365).
    public static let recipientListMessage = "recipient-list-message"
    /// Replaces (RFC 3891).
    public static let replaces = "replaces"
    /// Target-Dialog (RFC 4538).
    public static let targetDialog = "tdialog"
    /// Session timers (RFC 4028).
    public static let timer = "timer"
    /// Trickle ICE; also the name of its INFO package (RFC 8840).
    public static let trickleICE = "trickle-ice"
}

/// Requests with several recipients (RFC 5363, 5365, 5366, 5368).
public enum RecipientList {
    /// How a request names its recipients.
    public enum Kind: Sendable, Hashable {
        /// It has one recipient, the Request-URI.
        case none
        /// The body (or a part of a multipart body) is a list; the option tag that requires it.
        case list(requiredTag: String)
    }

    /// Whether a MESSAGE or INVITE asks to be sent to a list in its body.
    ///
    /// - Throws: What Require throws.
    public static func kind(_ request: SIPMessage) throws(SIPError) -> Kind {
        let tag: String
        switch request.method {
        case .message: tag = OptionTag.recipientListMessage
        case .invite: tag = OptionTag.recipientListInvite
        case .refer: tag = OptionTag.multipleRefer
        default: return .none
        }
        return try request.optionTags(.require).contains { ASCII.equalIgnoringCase($0, tag) }
            ? .list(requiredTag: tag) : .none
    }

    /// The media type of a list.
    public static let mediaType = "application/resource-lists+xml"
    /// The disposition of the list that a client sends.
    public static let disposition = "recipient-list"
    /// The disposition of the list that recipients get to see, without blind copies.
    public static let historyDisposition = "recipient-list-history"
}
