internal import ByteGrammar

/// An `a=` line: a name, and a value after a colon unless it is a flag.
public struct Attribute: Sendable, Hashable {
    /// The name; it is case-sensitive.
    public var name: String
    /// What follows the colon; nil for a flag.
    public var value: String?

    /// Makes an attribute.
    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }

    init(_ line: Line) {
        let slice = line.slice
        guard let colon = slice.firstIndex(of: UInt8(ascii: ":")) else {
            self.init(ByteText.string(slice))
            return
        }
        self.init(ByteText.string(slice[..<colon]), ByteText.string(slice[(colon + 1)...]))
    }

    /// The line to print.
    public var line: Line { Line(.attribute, self.value.map { "\(self.name):\($0)" } ?? self.name) }
}

/// What has attributes: a session or a medium.
public protocol AttributeCarrier {
    /// The lines among which the attributes are.
    var lines: [Line] { get set }
}

extension AttributeCarrier {
    /// The attributes in order.
    public var attributes: [Attribute] { self.lines.filter { $0.kind == .attribute }.map(Attribute.init) }

    /// The value of the first attribute with a name; empty for a flag, nil when it is absent.
    public func attribute(_ name: String) -> String? {
        self.lines.first { $0.isAttribute(named: name) }.map { Attribute($0).value ?? "" }
    }

    /// The values of all attributes with a name, in order.
    public func attributes(named name: String) -> [String] {
        self.lines.filter { $0.isAttribute(named: name) }.map { Attribute($0).value ?? "" }
    }

    /// Whether there is an attribute with a name.
    public func hasAttribute(_ name: String) -> Bool {
        self.lines.contains { $0.isAttribute(named: name) }
    }

    /// Adds an attribute at the end.
    public mutating func append(_ attribute: Attribute) { self.lines.append(attribute.line) }

    /// Puts an attribute in place of all with its name: where the first was, else at the end.
    public mutating func set(_ attribute: Attribute) {
        let index = self.lines.firstIndex { $0.isAttribute(named: attribute.name) }
        guard let index else {
            self.append(attribute)
            return
        }
        self.lines[index] = attribute.line
        let rest = self.lines[(index + 1)...].filter { !$0.isAttribute(named: attribute.name) }
        self.lines.replaceSubrange((index + 1)..., with: rest)
    }

    /// Removes all attributes with a name.
    public mutating func removeAttributes(named name: String) {
        self.lines.removeAll { $0.isAttribute(named: name) }
    }

    /// The direction stated here, by the first of the four attributes; nil when there is none.
    public var statedDirection: MediaDirection? {
        self.lines.lazy.compactMap { line in
            line.kind == .attribute ? MediaDirection(rawValue: line.value) : nil
        }.first
    }

    /// States a direction, in place of the one stated before.
    public mutating func setDirection(_ direction: MediaDirection) {
        let index = self.lines.firstIndex { $0.kind == .attribute && MediaDirection(rawValue: $0.value) != nil }
        self.lines.removeAll { $0.kind == .attribute && MediaDirection(rawValue: $0.value) != nil }
        self.lines.insert(Line(.attribute, direction.rawValue), at: index ?? self.lines.endIndex)
    }
}

extension Line {
    func isAttribute(named name: String) -> Bool {
        guard self.kind == .attribute, self.slice.starts(with: name.utf8) else { return false }
        let next = self.slice.dropFirst(name.utf8.count).first
        return next == nil || next == UInt8(ascii: ":")
    }
}

/// The directions in which media flow, as the one who states them sees it (RFC 8866 section 6.7).
public enum MediaDirection: String, Sendable, Hashable, CaseIterable {
    /// Both ways; what holds when nothing is stated.
    case sendReceive = "sendrecv"
    /// Only from here.
    case sendOnly = "sendonly"
    /// Only to here.
    case receiveOnly = "recvonly"
    /// Neither way.
    case inactive

    /// Makes a direction from its two halves.
    public init(sends: Bool, receives: Bool) {
        switch (sends, receives) {
        case (true, true): self = .sendReceive
        case (true, false): self = .sendOnly
        case (false, true): self = .receiveOnly
        case (false, false): self = .inactive
        }
    }

    /// Whether media flow from here.
    public var sends: Bool { self == .sendReceive || self == .sendOnly }

    /// Whether media flow to here.
    public var receives: Bool { self == .sendReceive || self == .receiveOnly }

    /// The same direction as the other side sees it.
    public var reversed: MediaDirection { MediaDirection(sends: self.receives, receives: self.sends) }

    /// The direction of an answer: what the answerer wishes, within what the offer allows (RFC 3264 section 6.1).
    public func answering(wish: MediaDirection = .sendReceive) -> MediaDirection {
        MediaDirection(sends: wish.sends && self.receives, receives: wish.receives && self.sends)
    }
}
