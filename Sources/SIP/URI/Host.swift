public import ByteGrammar

/// A host with an optional port, as in a SIP URI or in the sent-by of Via (RFC 3261 section 25.1).
public struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// A host name, an IPv4 address, or an IPv6 address between square brackets, as it was written.
    public var host: String
    /// The port, nil when none was written; never 0.
    public var port: UInt16?

    /// Makes a host with an optional port.
    public init(host: String, port: UInt16? = nil) {
        self.host = host
        self.port = port
    }

    /// Host, and port behind a colon.
    public var description: String { self.port.map { "\(self.host):\($0)" } ?? self.host }

    /// Whether host (without case) and port are equal.
    public func isEquivalent(to other: Self) -> Bool {
        self.port == other.port && Host.areEquivalent(self.host, other.host)
    }

    /// Takes a host and an optional port.
    ///
    /// - Throws: ``SIPError/Code/malformedURI``.
    public init(parsing cursor: inout ByteCursor, spaceAroundColon: Bool = false) throws(SIPError) {
        self.host = try Host.take(&cursor)
        self.port = nil
        let colon = spaceAroundColon ? cursor.separator(0x3A) : cursor.take(0x3A)
        guard colon else { return }
        guard let port = cursor.unsigned(maximum: 65_535) else {
            throw SIPError(.malformedURI, "the port is not a number up to 65535", offset: cursor.offset)
        }
        self.port = UInt16(port)
    }
}

/// Host names and addresses in text form.
public enum Host {
    /// Takes a host name, an IPv4 address or a bracketed IPv6 address.
    static func take(_ cursor: inout ByteCursor) throws(SIPError) -> String {
        let start = cursor.offset
        if cursor.take(0x5B) {
            let address = cursor.take(until: ByteSet([0x5D]))
            guard cursor.take(0x5D), IPv6Text.groups(cursor.bytes, address) != nil else {
                throw SIPError(.malformedURI, "malformed IPv6 address", offset: start)
            }
            return cursor.text(start..<cursor.offset)
        }
        let range = cursor.take(while: .host)
        guard self.isName(cursor.bytes, range) || IPv4Text.bytes(cursor.bytes, range) != nil else {
            throw SIPError(.malformedURI, "malformed host", offset: start)
        }
        return cursor.text(range)
    }

    /// Whether a stretch is a host name whose last label does not start with a digit.
    private static func isName(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.count <= 253 else { return false }
        var labelStart = range.lowerBound
        var last = range.lowerBound..<range.lowerBound
        for index in range.lowerBound...range.upperBound where index == range.upperBound || bytes[index] == 0x2E {
            let label = labelStart..<index
            labelStart = index + 1
            // A dot at the end stands for the root.
            if label.isEmpty, index == range.upperBound, !last.isEmpty { break }
            guard !label.isEmpty, label.count <= 63, bytes[label.lowerBound] != 0x2D,
                bytes[label.upperBound - 1] != 0x2D
            else { return false }
            last = label
        }
        return !last.isEmpty && !ByteSet.digit.contains(bytes[last.lowerBound])
    }

    /// Whether a text is an IPv4 address or an IPv6 address, with or without brackets.
    public static func isAddress(_ host: String) -> Bool { self.addressBytes(host) != nil }

    /// The 4 or 16 bytes of an address text, with or without brackets, or nil when the text is no address.
    public static func addressBytes(_ host: String) -> [UInt8]? {
        let bytes = Array(host.utf8)
        var range = 0..<bytes.count
        if bytes.first == 0x5B, bytes.last == 0x5D, bytes.count > 2 { range = 1..<(bytes.count - 1) }
        if let four = IPv4Text.bytes(bytes.span, range) { return four }
        guard let groups = IPv6Text.groups(bytes.span, range) else { return nil }
        return groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    }

    /// A host as it stands in a URI: an IPv6 address in brackets.
    public static func bracketed(_ host: String) -> String {
        host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    }

    /// The host without the brackets of an IPv6 address, as sockets want it.
    public static func unbracketed(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Whether two hosts are the same name (without case) or the same address.
    ///
    /// A name never equals an address.
    public static func areEquivalent(_ left: String, _ right: String) -> Bool {
        if ASCII.equalIgnoringCase(left, right) { return true }
        guard left.utf8.contains(0x3A), right.utf8.contains(0x3A) else { return false }
        guard let left = self.addressBytes(left), let right = self.addressBytes(right) else { return false }
        return left == right
    }
}

/// The dotted form of IPv4 addresses.
enum IPv4Text {
    static func bytes(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
        var result: [UInt8] = []
        var start = range.lowerBound
        for index in range.lowerBound...range.upperBound where index == range.upperBound || bytes[index] == 0x2E {
            guard index - start <= 3, let part = ASCII.unsigned(bytes, start..<index, maximum: 255), result.count < 4
            else {
                return nil
            }
            result.append(UInt8(part))
            start = index + 1
        }
        return result.count == 4 ? result : nil
    }
}

/// The text form of IPv6 addresses (RFC 4291 section 2.2).
enum IPv6Text {
    static func groups(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt16]? {
        guard range.count >= 2, range.count <= 45, range.upperBound <= bytes.count else { return nil }
        var groups: [UInt16] = []
        var gap: Int?
        var index = range.lowerBound
        if bytes[index] == 0x3A {
            guard bytes[index + 1] == 0x3A else { return nil }
            gap = 0
            index += 2
        }
        while index < range.upperBound {
            let start = index
            while index < range.upperBound, ByteSet.hexadecimal.contains(bytes[index]) { index += 1 }
            if index < range.upperBound, bytes[index] == 0x2E {
                guard let tail = IPv4Text.bytes(bytes, start..<range.upperBound) else { return nil }
                groups.append(UInt16(tail[0]) << 8 | UInt16(tail[1]))
                groups.append(UInt16(tail[2]) << 8 | UInt16(tail[3]))
                index = range.upperBound
                break
            }
            guard (1...4).contains(index - start), groups.count < 8 else { return nil }
            groups.append((start..<index).reduce(0) { $0 << 4 | UInt16(ASCII.hexadecimalValue(bytes[$1]) ?? 0) })
            guard index < range.upperBound else { break }
            guard bytes[index] == 0x3A else { return nil }
            index += 1
            if index < range.upperBound, bytes[index] == 0x3A {
                guard gap == nil else { return nil }
                gap = groups.count
                index += 1
            } else if index == range.upperBound {
                return nil
            }
        }
        guard let gap else { return groups.count == 8 ? groups : nil }
        guard groups.count < 8 else { return nil }
        return Array(groups[..<gap]) + [UInt16](repeating: 0, count: 8 - groups.count) + Array(groups[gap...])
    }
}
