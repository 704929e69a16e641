public import NIOCore

/// One contact of an address of record, as a registrar keeps it (RFC 3261 section 10.3, RFC 5626 section 6).
public struct Binding: Sendable, Hashable {
    /// What tells the bindings of one address of record apart.
    public enum Key: Sendable, Hashable {
        /// A device and one of its flows.
        case flow(instance: String, registration: UInt32)
        /// A device without outbound (RFC 5627): one binding for the instance.
        case instance(String)
        /// A contact URI.
        case contact(String)
    }

    /// What tells it apart.
    public var key: Key
    /// The Contact with all of its header parameters as it was registered.
    public var contact: NameAddress
    /// Call-ID of the REGISTER.
    public var callID: String
    /// CSeq number of the REGISTER.
    public var number: UInt32
    /// When it runs out.
    public var expires: NIODeadline
    /// When it was first made.
    public var created: NIODeadline
    /// The proxies towards it, nearest to the registrar first (RFC 3327).
    public var path: [NameAddress]
    /// The connection that the REGISTER came over, when it came directly; the registrar's own name for it.
    public var flow: String?
    /// The user part of its temporary GRUU, nil when it has none.
    public var temporaryGRUU: String?

    /// The instance, angle brackets included; nil when the client gave none.
    public var instance: String? {
        switch self.key {
        case .flow(let instance, _), .instance(let instance): instance
        case .contact: nil
        }
    }

    /// The seconds that are left, rounded up.
    public func remaining(at now: NIODeadline) -> UInt32 {
        guard self.expires > now else { return 0 }
        return UInt32(clamping: ((self.expires - now).nanoseconds + 999_999_999) / 1_000_000_000)
    }
}

extension NameAddress {
    /// `+sip.instance` with its angle brackets, compared byte for byte (RFC 5626 section 4.1).
    public var instance: String? { self.parameters["+sip.instance"] }

    /// `reg-id`, nil when it is absent, 0 or malformed.
    public var registrationID: UInt32? {
        self.parameters["reg-id"].flatMap { UInt32($0) }.flatMap { (1...UInt32(Int32.max)).contains($0) ? $0 : nil }
    }
}

/// Globally routable URIs of devices (RFC 5627).
public enum GRUU {
    /// The public GRUU of an instance: the address of record with `gr` (RFC 5627 section 5.1).
    ///
    /// - Parameter instance: The value of `+sip.instance`, with or without angle brackets.
    public static func publicURI(addressOfRecord: SIPURI, instance: String) -> SIPURI {
        var uri = addressOfRecord
        var name = instance
        if name.hasPrefix("<"), name.hasSuffix(">") { name = String(name.dropFirst().dropLast()) }
        uri.parameters = [Parameter("gr", PercentCoding.parameter(name))]
        uri.headers = []
        return uri
    }

    /// A temporary GRUU: an opaque user part and `gr` without a value (RFC 5627 section 5.1).
    public static func temporaryURI(addressOfRecord: SIPURI, user: String) -> SIPURI {
        var uri = addressOfRecord
        uri.user = user
        uri.password = nil
        uri.parameters = [Parameter("gr")]
        uri.headers = []
        return uri
    }
}
