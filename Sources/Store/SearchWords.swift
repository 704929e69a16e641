import Foundation

/// The words of the search index: the same for what is entered and for what is sought, in every store.
public enum SearchWords {
    /// Marks over and under letters, which searches do not heed; vowel signs of other scripts are part of the word.
    private static let diacritics: ClosedRange<UInt32> = 0x300...0x36f

    private static let space = UInt8(ascii: " ")

    /// A text's words in their order: letters and digits, in lower case, without diacritics.
    public static func of(_ text: String) -> [String] {
        // By scalars: a mark may begin a word, and as a character it would be one with the space before it.
        line(of: text).unicodeScalars.split(separator: " ").map { String(String.UnicodeScalarView($0)) }
    }

    /// A text's words in their order, each followed by a space.
    public static func line(of text: String) -> String {
        var text = text
        if let line = text.withUTF8(asciiLine) { return line }
        var line = String.UnicodeScalarView()
        for scalar in text.lowercased().decomposedStringWithCanonicalMapping.unicodeScalars
        where !diacritics.contains(scalar.value) {
            if isPart(scalar) {
                line.append(scalar)
            } else if let last = line.last, last != " " {
                line.append(" ")
            }
        }
        if let last = line.last, last != " " { line.append(" ") }
        return String(line)
    }

    /// Most messages are plain ASCII, and every one is indexed: one pass over its bytes. Nil for any other text.
    private static func asciiLine(_ text: UnsafeBufferPointer<UInt8>) -> String? {
        guard text.allSatisfy({ $0 < 0x80 }) else { return nil }
        return String(unsafeUninitializedCapacity: text.count + 1) { line in
            var count = 0
            for byte in text {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): line[count] = byte
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): line[count] = byte | 0x20
                default:
                    guard count > 0, line[count - 1] != space else { continue }
                    line[count] = space
                }
                count += 1
            }
            if count > 0, line[count - 1] != space {
                line[count] = space
                count += 1
            }
            return count
        }
    }

    private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
            true
        default: false
        }
    }
}
