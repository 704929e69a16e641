import Foundation

/// The words of the search index: the same for what is entered and for what is sought, in every store.
public enum SearchWords {
    /// Marks over and under letters, which searches do not heed; vowel signs of other scripts are part of the word.
    private static let diacritics: ClosedRange<UInt32> = 0x300...0x36f

    /// A text's words in their order: letters and digits, in lower case, without diacritics.
    public static func of(_ text: String) -> [String] {
        let lower = text.lowercased()
        if lower.utf8.allSatisfy({ $0 < 0x80 }) { return divide(lower) }
        var bare = String.UnicodeScalarView()
        for scalar in lower.decomposedStringWithCanonicalMapping.unicodeScalars
        where !diacritics.contains(scalar.value) { bare.append(scalar) }
        return divide(String(bare))
    }

    private static func divide(_ text: String) -> [String] {
        text.unicodeScalars.split { !isPart($0) }.map { String(String.UnicodeScalarView($0)) }
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
