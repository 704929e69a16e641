/// A set of byte values, tested with one shift.
@frozen
public struct ByteSet: Sendable, Equatable {
    @usableFromInline let low: UInt64
    @usableFromInline let middle: UInt64
    @usableFromInline let high: UInt64
    @usableFromInline let top: UInt64

    /// Makes a set from four words, one bit for each byte value, lowest value in the lowest bit of the first word.
    @inlinable
    public init(_ low: UInt64, _ middle: UInt64, _ high: UInt64, _ top: UInt64) {
        self.low = low
        self.middle = middle
        self.high = high
        self.top = top
    }

    /// Makes a set of the given bytes.
    public init(_ members: some Sequence<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for byte in members {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }
        self.init(words.0, words.1, words.2, words.3)
    }

    /// Whether the byte belongs to the set.
    @inlinable
    @inline(__always)
    public func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: self.low
            case 1: self.middle
            case 2: self.high
            default: self.top
            }
        return (word >> UInt64(byte & 63)) & 1 == 1
    }
}

extension ByteSet {
    /// The ten decimal digits.
    @inlinable public static var digit: Self {
        Self(
            0x03FF_0000_0000_0000,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// The letters of US-ASCII.
    @inlinable public static var alpha: Self {
        Self(
            0x0000_0000_0000_0000,
            0x07FF_FFFE_07FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Letters and digits.
    @inlinable public static var alphanumeric: Self {
        Self(
            0x03FF_0000_0000_0000,
            0x07FF_FFFE_07FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Hexadecimal digits in either case.
    @inlinable public static var hexadecimal: Self {
        Self(
            0x03FF_0000_0000_0000,
            0x0000_007E_0000_007E,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// `token` of RFC 3261 section 25.1.
    @inlinable public static var token: Self {
        Self(
            0x03FF_6CA2_0000_0000,
            0x47FF_FFFF_87FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// `word` of RFC 3261 section 25.1, of which a Call-ID is made.
    @inlinable public static var word: Self {
        Self(
            0xD7FF_EFA6_0000_0000,
            0x6FFF_FFFF_BFFF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// `token` of RFC 9110 section 5.6.2, which MIME and WebSocket use.
    @inlinable public static var httpToken: Self {
        Self(
            0x03FF_6CFA_0000_0000,
            0x57FF_FFFF_C7FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Space and horizontal tab.
    @inlinable public static var whitespace: Self {
        Self(
            0x0000_0001_0000_0200,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Carriage return and line feed.
    @inlinable public static var lineBreak: Self {
        Self(
            0x0000_0000_0000_2400,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Letters, digits, hyphen, dot and underscore, of which host names are made (the underscore is out of grammar and in use).
    @inlinable public static var host: Self {
        Self(
            0x03FF_6000_0000_0000,
            0x07FF_FFFE_87FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// What may stand unescaped in the user part of a SIP URI: `unreserved` and `user-unreserved`.
    @inlinable public static var uriUser: Self {
        Self(
            0xABFF_FFD2_0000_0000,
            0x47FF_FFFE_87FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// What may stand unescaped in the password of a SIP URI.
    @inlinable public static var uriPassword: Self {
        Self(
            0x23FF_7FD2_0000_0000,
            0x47FF_FFFE_87FF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// What may stand unescaped in a SIP URI parameter: `unreserved` and `param-unreserved`.
    @inlinable public static var uriParameter: Self {
        Self(
            0x07FF_EFD2_0000_0000,
            0x47FF_FFFE_AFFF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// What may stand unescaped in a SIP URI header: `unreserved` and `hnv-unreserved`.
    @inlinable public static var uriHeader: Self {
        Self(
            0x87FF_EF92_0000_0000,
            0x47FF_FFFE_AFFF_FFFE,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Every byte that any URI may hold (`unreserved`, `reserved` and the percent sign).
    @inlinable public static var uriAny: Self {
        Self(
            0xAFFF_FFFA_0000_0000,
            0x47FF_FFFE_AFFF_FFFF,
            0x0000_0000_0000_0000,
            0x0000_0000_0000_0000
        )
    }

    /// Printable US-ASCII and every byte above it; no controls, no delete.
    @inlinable public static var visible: Self {
        Self(
            0xFFFF_FFFF_0000_0000,
            0x7FFF_FFFF_FFFF_FFFF,
            0xFFFF_FFFF_FFFF_FFFF,
            0xFFFF_FFFF_FFFF_FFFF
        )
    }
}
