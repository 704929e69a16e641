internal import ByteGrammar

/// The `o=` line: who made a description, and which version of it this is (RFC 8866 section 5.2).
public struct Origin: Sendable, Hashable {
    /// The user's name on the machine, `-` for none.
    public var username: String
    /// The number of the session, as text: it may have more digits than any integer type.
    public var sessionID: String
    /// The number of this version, as text.
    public var sessionVersion: String
    /// `IN` for the Internet.
    public var networkType: String
    /// `IP4` or `IP6`.
    public var addressType: String
    /// The address or name of the machine.
    public var address: String

    /// Makes an origin.
    public init(
        username: String = "-",
        sessionID: String,
        sessionVersion: String,
        networkType: String = "IN",
        addressType: String,
        address: String
    ) {
        self.username = username
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }

    /// Reads the value of an `o=` line; nil unless it has six fields and two numbers.
    ///
    /// The user's name may be left out, as examples of RFC 7006 do; then it is empty and is not printed either.
    public init?(_ text: String) {
        var fields = text.words
        if fields.count == 5, fields[0].isAllDigits { fields.insert("", at: 0) }
        guard fields.count == 6, fields[1].isAllDigits, fields[2].isAllDigits else { return nil }
        self.init(
            username: fields[0],
            sessionID: fields[1],
            sessionVersion: fields[2],
            networkType: fields[3],
            addressType: fields[4],
            address: fields[5]
        )
    }

    /// The value of the `o=` line.
    public var text: String {
        let fields = [
            self.username, self.sessionID, self.sessionVersion, self.networkType, self.addressType, self.address,
        ]
        return fields.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// The same origin with the version one higher, as a changed description must have (RFC 3264 section 8).
    public var incremented: Origin {
        var next = self
        next.sessionVersion = Self.successor(of: self.sessionVersion)
        return next
    }

    /// Tells whether another description is of the same session: all but the version is equal.
    public func isSameSession(as other: Origin) -> Bool {
        var other = other
        other.sessionVersion = self.sessionVersion
        return self == other
    }

    /// Adds one to a number of any length.
    static func successor(of number: String) -> String {
        var digits = Array(number.utf8)
        var index = digits.count
        while index > 0 {
            index -= 1
            if digits[index] < UInt8(ascii: "9") {
                digits[index] += 1
                return String(decoding: digits, as: UTF8.self)
            }
            digits[index] = UInt8(ascii: "0")
        }
        return "1" + String(decoding: digits, as: UTF8.self)
    }
}

/// A `c=` line: the address that media go to (RFC 8866 section 5.7).
public struct Connection: Sendable, Hashable {
    /// `IN` for the Internet.
    public var networkType: String
    /// `IP4` or `IP6`.
    public var addressType: String
    /// The address or name; for multicast with its time to live and count, as in `233.252.0.1/127/3`.
    public var address: String

    /// Makes an address.
    public init(networkType: String = "IN", addressType: String, address: String) {
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }

    /// Reads the value of a `c=` line; nil unless it has three fields.
    public init?(_ text: String) {
        let fields = text.words
        guard fields.count == 3, text.utf8.first != 0x20 else { return nil }
        self.init(networkType: fields[0], addressType: fields[1], address: fields[2])
    }

    /// The value of the `c=` line.
    public var text: String { "\(self.networkType) \(self.addressType) \(self.address)" }

    /// The address without what multicast adds.
    public var host: String { String(self.address.prefix { $0 != "/" }) }

    /// Whether this is the all-zero address by which old senders put a medium on hold (RFC 3264 section 8.4).
    public var isUnspecified: Bool { self.host == "0.0.0.0" || self.host == "::" }
}

/// A `b=` line (RFC 8866 section 5.8).
public struct Bandwidth: Sendable, Hashable {
    /// What is bounded: `AS`, `CT`, `TIAS` and others; unknown ones are to be ignored.
    public var type: String
    /// The bound in the unit of its type.
    public var value: UInt64

    /// Makes a bound.
    public init(type: String, value: UInt64) {
        self.type = type
        self.value = value
    }

    /// Reads the value of a `b=` line; nil when it is no `type:number`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[1].isAllDigits, let value = UInt64(parts[1]) else { return nil }
        self.init(type: parts[0], value: value)
    }
}

extension String {
    /// The pieces between blanks.
    var words: [String] { ByteText.fields(Array(self.utf8)[...]).map { ByteText.string($0) } }

    /// Whether the text is one or more ASCII digits.
    var isAllDigits: Bool { !self.isEmpty && self.utf8.allSatisfy { (0x30...0x39).contains($0) } }
}
