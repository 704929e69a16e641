/// Why an XML body was refused.
///
/// Two errors are equal when their codes are equal; the reason and the offset are for people.
public struct XMLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as an open set: a later version may add codes.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The stable text of the code.
        public let rawValue: String

        /// Makes a code from its stable text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The document is larger than ``XMLLimits/maximumBytes``.
        public static let documentTooLarge = Self(rawValue: "xml-document-too-large")
        /// Elements are nested deeper than ``XMLLimits/maximumDepth``.
        public static let tooDeep = Self(rawValue: "xml-too-deep")
        /// There are more elements than ``XMLLimits/maximumElements``.
        public static let tooManyElements = Self(rawValue: "xml-too-many-elements")
        /// An element has more attributes than ``XMLLimits/maximumAttributes``.
        public static let tooManyAttributes = Self(rawValue: "xml-too-many-attributes")
        /// More namespaces are in scope than ``XMLLimits/maximumNamespaces``.
        public static let tooManyNamespaces = Self(rawValue: "xml-too-many-namespaces")
        /// A name is longer than ``XMLLimits/maximumNameBytes``.
        public static let nameTooLong = Self(rawValue: "xml-name-too-long")
        /// The document is not UTF-8.
        public static let invalidEncoding = Self(rawValue: "xml-invalid-encoding")
        /// The declaration names an encoding other than UTF-8 or US-ASCII.
        public static let unsupportedEncoding = Self(rawValue: "xml-unsupported-encoding")
        /// The document has a document type declaration, which is never read.
        public static let doctypeForbidden = Self(rawValue: "xml-doctype-forbidden")
        /// A reference names an entity that is not one of the five of XML.
        public static let undefinedEntity = Self(rawValue: "xml-undefined-entity")
        /// A character reference is no legal character.
        public static let invalidCharacterReference = Self(rawValue: "xml-invalid-character-reference")
        /// A character stands where XML does not allow it.
        public static let invalidCharacter = Self(rawValue: "xml-invalid-character")
        /// The markup breaks the grammar.
        public static let malformed = Self(rawValue: "xml-malformed")
        /// An end tag does not match the start tag.
        public static let mismatchedTag = Self(rawValue: "xml-mismatched-tag")
        /// An element has the same attribute twice.
        public static let duplicateAttribute = Self(rawValue: "xml-duplicate-attribute")
        /// A prefix has no namespace.
        public static let undeclaredPrefix = Self(rawValue: "xml-undeclared-prefix")
        /// A namespace declaration is not allowed.
        public static let invalidNamespace = Self(rawValue: "xml-invalid-namespace")
        /// The document ends too early.
        public static let unexpectedEnd = Self(rawValue: "xml-unexpected-end")
        /// Something follows the root element.
        public static let trailingContent = Self(rawValue: "xml-trailing-content")
        /// The root element is not that of the document type asked for.
        public static let unexpectedRoot = Self(rawValue: "xml-unexpected-root")
        /// A mandatory element is absent.
        public static let missingElement = Self(rawValue: "xml-missing-element")
        /// A mandatory attribute is absent.
        public static let missingAttribute = Self(rawValue: "xml-missing-attribute")
        /// An element or attribute has a value outside its type.
        public static let invalidValue = Self(rawValue: "xml-invalid-value")
    }

    /// What went wrong.
    public let code: Code
    /// What was expected or found, for people.
    public let reason: String
    /// The octet of the document where it was seen; nil for errors of meaning found after the markup was read.
    public let offset: Int?

    /// Makes an error.
    public init(_ code: Code, _ reason: String, offset: Int? = nil) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// Compares the codes only.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

    /// The code, the reason and the offset in one line.
    public var description: String {
        guard let offset else { return "\(self.code.rawValue): \(self.reason)" }
        return "\(self.code.rawValue) at octet \(offset): \(self.reason)"
    }
}
