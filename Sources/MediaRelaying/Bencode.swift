/// What the control protocol of media relays is written in: four kinds of values, each printed in one way only.
package enum Bencode: Hashable, Sendable {
    case integer(Int64)
    case text([UInt8])
    case list([Bencode])
    case dictionary([String: Bencode])

    package static func text(_ text: some StringProtocol) -> Bencode { .text(Array(text.utf8)) }

    /// What is nested deeper is not read.
    package static let depthMaximum = 8

    /// As octets; keys are sorted.
    package var octets: [UInt8] {
        var octets: [UInt8] = []
        write(to: &octets)
        return octets
    }

    private func write(to octets: inout [UInt8]) {
        switch self {
        case .integer(let number): octets += "i\(number)e".utf8
        case .text(let text):
            octets += "\(text.count):".utf8
            octets += text
        case .list(let values):
            octets.append(UInt8(ascii: "l"))
            for value in values { value.write(to: &octets) }
            octets.append(UInt8(ascii: "e"))
        case .dictionary(let fields):
            octets.append(UInt8(ascii: "d"))
            for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
                Bencode.text(key).write(to: &octets)
                value.write(to: &octets)
            }
            octets.append(UInt8(ascii: "e"))
        }
    }

    /// Reads one value that fills the octets; nil for anything else.
    package init?(_ octets: ArraySlice<UInt8>) {
        var reader = Reader(rest: octets)
        guard let value = reader.value(depth: 0), reader.rest.isEmpty else { return nil }
        self = value
    }

    package subscript(_ key: String) -> Bencode? {
        guard case .dictionary(let fields) = self else { return nil }
        return fields[key]
    }

    /// Text that is UTF-8.
    package var string: String? {
        guard case .text(let octets) = self else { return nil }
        return String(validating: octets, as: UTF8.self)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func value(depth: Int) -> Bencode? {
            guard depth < Bencode.depthMaximum, let first = rest.first else { return nil }
            switch first {
            case UInt8(ascii: "i"):
                rest.removeFirst()
                return number(until: UInt8(ascii: "e")).map(Bencode.integer)
            case UInt8(ascii: "l"):
                rest.removeFirst()
                var values: [Bencode] = []
                while let next = rest.first, next != UInt8(ascii: "e") {
                    guard let value = value(depth: depth + 1) else { return nil }
                    values.append(value)
                }
                return end() ? .list(values) : nil
            case UInt8(ascii: "d"):
                rest.removeFirst()
                var fields: [String: Bencode] = [:]
                while let next = rest.first, next != UInt8(ascii: "e") {
                    guard let key = text(), let key = String(validating: key, as: UTF8.self),
                        let value = value(depth: depth + 1)
                    else { return nil }
                    fields[key] = value
                }
                return end() ? .dictionary(fields) : nil
            default: return text().map(Bencode.text)
            }
        }

        private mutating func end() -> Bool { rest.popFirst() == UInt8(ascii: "e") }

        private mutating func text() -> [UInt8]? {
            guard let count = number(until: UInt8(ascii: ":")), count >= 0, count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }

        private mutating func number(until end: UInt8) -> Int64? {
            guard let index = rest.firstIndex(of: end) else { return nil }
            defer { rest = rest[(index + 1)...] }
            guard let text = String(validating: rest[..<index], as: UTF8.self) else { return nil }
            return Int64(text)
        }
    }
}
