import ByteGrammar

/// A telephone number as a URI (RFC 3966).
public struct TelURI: Sendable, Hashable, CustomStringConvertible {
    /// The number as it was written, with its visual separators.
    public var number: String
    /// The parameters.
    public var parameters: Parameters

    /// Makes a URI of a number.
    public init(number: String, parameters: Parameters = []) {
        self.number = number
        self.parameters = parameters
    }

    /// Whether the number is global (starts with a plus sign).
    public var isGlobal: Bool { self.number.utf8.first == 0x2B }

    /// The number without visual separators, letters in lower case (RFC 3966 section 4).
    public var canonicalNumber: String {
        String(decoding: self.number.utf8.filter { !Self.separators.contains($0) }.map(ASCII.lowercased), as: UTF8.self)
    }

    /// The text of the URI.
    public var description: String { "tel:\(self.number)\(self.parameters)" }

    /// Whether two numbers are equivalent (RFC 3966 section 5): same digits, same parameters in any order.
    public func isEquivalent(to other: Self) -> Bool {
        guard self.canonicalNumber == other.canonicalNumber, self.parameters.items.count == other.parameters.items.count
        else { return false }
        return self.parameters.items.allSatisfy { parameter in
            guard let twin = other.parameters.first(parameter.name) else { return false }
            // A name that stands twice, which it must not, counts as it stands first.
            return ASCII.equalIgnoringCase(self.parameters[parameter.name] ?? "", twin.value ?? "")
        }
    }

    private static let separators = ByteSet("-.()".utf8)
    private static let globalDigits = ByteSet("0123456789-.()".utf8)
    private static let localDigits = ByteSet("0123456789abcdefABCDEF*#-.()".utf8)

    /// Reads what follows the colon of the scheme, to the end of the bytes.
    init(parsing cursor: inout ByteCursor) throws(SIPError) {
        let start = cursor.offset
        let isGlobal = cursor.take(0x2B)
        let digits = cursor.take(while: isGlobal ? Self.globalDigits : Self.localDigits)
        guard digits.contains(where: { !Self.separators.contains(cursor.bytes[$0]) }) else {
            throw SIPError(.malformedURI, "a telephone number without a digit", offset: start)
        }
        self.number = cursor.text(start..<cursor.offset)
        self.parameters = []
        while cursor.take(0x3B) {
            guard self.parameters.items.count < SIPLimits.parameters else {
                throw SIPError(.tooManyItems, "more than \(SIPLimits.parameters) parameters", offset: cursor.offset)
            }
            guard let name = cursor.token() else {
                throw SIPError(.malformedURI, "an empty parameter", offset: cursor.offset)
            }
            var parameter = Parameter(cursor.text(name))
            if cursor.take(0x3D) { parameter.value = cursor.text(cursor.take(while: Self.parameterBytes)) }
            self.parameters.items.append(parameter)
        }
        guard cursor.isAtEnd else {
            throw SIPError(.malformedURI, "unexpected text in the number", offset: cursor.offset)
        }
        guard isGlobal || self.parameters.contains("phone-context") else {
            throw SIPError(.malformedURI, "a local number without phone-context", offset: start)
        }
    }

    private static let parameterBytes = ByteSet(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()[]/:&+$%".utf8
    )
}
