/// How text is divided into the words of the search index.
public enum SearchWords {
    /// Combining marks that belong to the letter before them and do not divide a word.
    private static let marks: ClosedRange<UInt32> = 0x300...0x331
    /// Later letters are unknown to the tokenisers of today's databases.
    private static let version: Unicode.Version = (6, 1)

    /// The parts of a text that are made of letters and digits, with their diacritics.
    public static func divide(_ text: String) -> [String] {
        text.unicodeScalars.split { !isPart($0) }.map { String(String.UnicodeScalarView($0)) }
    }

    /// Whether the scalar is a combining mark that searches do not heed.
    public static func isMark(_ scalar: Unicode.Scalar) -> Bool { marks.contains(scalar.value) }

    private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age, age <= version else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber:
            return true
        default: return isMark(scalar)
        }
    }
}
