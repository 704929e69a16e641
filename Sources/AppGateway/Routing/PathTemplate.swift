/// A path of the contract, such as `/v1/messages/{id}/parts/{part}`.
struct PathTemplate: Hashable, Sendable, CustomStringConvertible {
    /// One piece between slashes.
    enum Segment: Hashable, Sendable {
        case fixed(String)
        case parameter(String)
    }

    let description: String
    let segments: [Segment]

    init(_ text: String) {
        description = text
        segments = text.split(separator: "/").map { piece in
            piece.hasPrefix("{") ? .parameter(String(piece.dropFirst().dropLast())) : .fixed(String(piece))
        }
    }

    var parameters: [String] {
        segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
    }

    /// The parameters' values when the path is of this form.
    func match(_ pieces: [String]) -> [String]? {
        guard pieces.count == segments.count else { return nil }
        var values: [String] = []
        for (segment, piece) in zip(segments, pieces) {
            switch segment {
            case .fixed(let text): guard text == piece else { return nil }
            case .parameter: values.append(piece)
            }
        }
        return values
    }

    /// How many pieces are fixed; the more, the better a match.
    var fixedSegments: Int { segments.count - parameters.count }
}

/// Percent-decodes (RFC 3986, section 2.1); nil for a broken escape, bytes that are no UTF-8, or control characters.
func percentDecoded(_ text: Substring) -> String? {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 < 0x20 || $0 == 0x7F }) else { return String(text) }
    var bytes: [UInt8] = []
    var iterator = text.utf8.makeIterator()
    while let byte = iterator.next() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = iterator.next().flatMap(hexDigit), let low = iterator.next().flatMap(hexDigit) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
    return String(validating: bytes, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
