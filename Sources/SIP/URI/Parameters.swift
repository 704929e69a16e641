public import ByteGrammar

/// One parameter of a header field value or a URI.
public struct Parameter: Sendable, Hashable {
    /// The name as it was written.
    public var name: String
    /// The value, quotes and backslashes removed; nil when there is no equals sign.
    public var value: String?
    /// Whether the value is printed between double quotes.
    public var isQuoted: Bool

    /// Makes a parameter.
    public init(_ name: String, _ value: String? = nil, quoted: Bool = false) {
        self.name = name
        self.value = value
        self.isQuoted = quoted
    }
}

/// The parameters of a header field value or a URI, in their order; names are compared without case.
public struct Parameters: Sendable, Hashable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// The parameters in their order.
    public var items: [Parameter]

    /// Makes a list of parameters.
    public init(_ items: [Parameter] = []) { self.items = items }

    /// Makes a list of parameters.
    public init(arrayLiteral elements: Parameter...) { self.items = elements }

    /// Whether there are none.
    public var isEmpty: Bool { self.items.isEmpty }

    /// The first parameter of that name.
    public func first(_ name: String) -> Parameter? {
        self.items.first { ASCII.equalIgnoringCase($0.name, name) }
    }

    /// Whether there is a parameter of that name, with or without a value.
    public func contains(_ name: String) -> Bool { self.first(name) != nil }

    /// The value of the first parameter of that name.
    ///
    /// Setting puts an unquoted value in the place of the first one, or behind the others; setting nil removes.
    public subscript(_ name: String) -> String? {
        get { self.first(name)?.value }
        set {
            guard let newValue else { return self.items.removeAll { ASCII.equalIgnoringCase($0.name, name) } }
            self.put(Parameter(name, newValue))
        }
    }

    /// Replaces the first parameter of the same name, or adds it.
    public mutating func put(_ parameter: Parameter) {
        if let index = self.items.firstIndex(where: { ASCII.equalIgnoringCase($0.name, parameter.name) }) {
            self.items[index] = parameter
        } else {
            self.items.append(parameter)
        }
    }

    /// All parameters, each behind a semicolon.
    public var description: String {
        var text = ""
        for item in self.items {
            text += ";"
            text += item.name
            guard let value = item.value else { continue }
            text += "="
            text += item.isQuoted ? Quoting.quoted(value) : value
        }
        return text
    }
}

extension Parameters {
    /// Takes `*( SEMI generic-param )` of a header field value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/tooManyItems``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        self.items = []
        while let place = try Place(parsing: &cursor) {
            guard self.items.count < SIPLimits.parameters else {
                throw SIPError(.tooManyItems, "more than \(SIPLimits.parameters) parameters", offset: cursor.offset)
            }
            self.items.append(Parameter(cursor.text(place.name), place.text(cursor), quoted: place.isQuoted))
        }
    }

    /// Where one parameter is; no text is made of it.
    struct Place {
        let name: Range<Int>
        /// The value, without its quotes if it has some; nil when there is no equals sign.
        private(set) var value: Range<Int>?
        private(set) var isQuoted = false

        /// Takes one parameter with the semicolon before it; nil when there is no semicolon.
        init?(parsing cursor: inout ByteCursor) throws(SIPError) {
            guard cursor.separator(0x3B) else { return nil }
            guard let name = cursor.token() else {
                throw SIPError(.malformedHeaderValue, "a semicolon without a parameter", offset: cursor.offset)
            }
            self.name = name
            guard cursor.separator(0x3D) else { return }
            if let quoted = cursor.quotedString() {
                self.value = quoted
                self.isQuoted = true
            } else {
                // Phones send `tag=` with nothing behind it.
                self.value = cursor.take(while: Parameters.valueBytes)
            }
        }

        func isNamed(_ name: StaticString, _ cursor: borrowing ByteCursor) -> Bool {
            ASCII.equal(cursor.bytes, self.name, ignoringCase: name)
        }

        func text(_ cursor: borrowing ByteCursor) -> String? {
            self.value.map { self.isQuoted ? cursor.unescaped($0) : cursor.text($0) }
        }
    }

    /// What an unquoted value is made of: a token or a host (which may be an IPv6 address), and what senders put
    /// there without quotes although the grammar asks for them.
    private static let valueBytes = ByteSet(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~[]:/@&$#^|{}()?".utf8
    )
}

/// Quoted strings (RFC 3261 section 25.1).
enum Quoting {
    /// The text between double quotes, with backslashes before quotes and backslashes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars where scalar != "\r" && scalar != "\n" {
            if scalar == "\"" || scalar == "\\" { result += "\\" }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }
}

extension Parameter {
    /// The value of a URI header with its percent escapes resolved; nil when there is none or an escape is broken.
    public var decodedValue: String? {
        guard let bytes = self.value.flatMap({ PercentEncoding.decode($0.utf8) }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
