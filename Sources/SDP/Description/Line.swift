internal import ByteGrammar

/// One line of a description, kept octet for octet as it came.
public struct Line: Sendable, Hashable {
    /// What a line says, by the letter before the equals sign.
    public struct Kind: Sendable, Hashable {
        /// The ASCII letter.
        public let letter: UInt8

        /// Makes a kind from its ASCII letter.
        public init(letter: UInt8) { self.letter = letter }

        /// Lines that begin with `v=`.
        public static let version = Self(letter: UInt8(ascii: "v"))
        /// Lines that begin with `o=`.
        public static let origin = Self(letter: UInt8(ascii: "o"))
        /// Lines that begin with `s=`.
        public static let sessionName = Self(letter: UInt8(ascii: "s"))
        /// Lines that begin with `i=`.
        public static let information = Self(letter: UInt8(ascii: "i"))
        /// Lines that begin with `u=`.
        public static let uri = Self(letter: UInt8(ascii: "u"))
        /// Lines that begin with `e=`.
        public static let email = Self(letter: UInt8(ascii: "e"))
        /// Lines that begin with `p=`.
        public static let phone = Self(letter: UInt8(ascii: "p"))
        /// Lines that begin with `c=`.
        public static let connection = Self(letter: UInt8(ascii: "c"))
        /// Lines that begin with `b=`.
        public static let bandwidth = Self(letter: UInt8(ascii: "b"))
        /// Lines that begin with `t=`.
        public static let time = Self(letter: UInt8(ascii: "t"))
        /// Lines that begin with `r=`.
        public static let repeatTimes = Self(letter: UInt8(ascii: "r"))
        /// Lines that begin with `z=`.
        public static let timeZones = Self(letter: UInt8(ascii: "z"))
        /// Lines that begin with `k=`, which is obsolete: kept when it comes, never to be made.
        public static let key = Self(letter: UInt8(ascii: "k"))
        /// Lines that begin with `a=`.
        public static let attribute = Self(letter: UInt8(ascii: "a"))
        /// Lines that begin with `m=`.
        public static let media = Self(letter: UInt8(ascii: "m"))
    }

    /// The letter before the equals sign.
    public let kind: Kind
    let slice: ArraySlice<UInt8>

    init(_ kind: Kind, slice: ArraySlice<UInt8>) {
        self.kind = kind
        self.slice = slice
    }

    /// Makes a line; octets that would end or cut it (CR, LF, NUL) become spaces.
    public init(_ kind: Kind, _ value: String) {
        self.kind = kind
        self.slice = value.utf8.map { $0 == 0x0D || $0 == 0x0A || $0 == 0 ? 0x20 : $0 }[...]
    }

    /// What stands after the equals sign, as it came.
    public var bytes: [UInt8] { Array(self.slice) }

    /// What stands after the equals sign, read as UTF-8 (with U+FFFD for what is not).
    public var value: String { ByteText.string(self.slice) }
}
