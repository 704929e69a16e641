import MessagingCore

/// The most frequent frame, `{"ack":12}` or `{"ack":12,"level":12}`, recognised in exactly these forms.
///
/// Devices write several for each message. Any other spelling of the same is read as JSON like every other frame.
struct Acknowledgement: Equatable {
    var number: ChangeNumber
    var level: ChangeNumber?

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard Self.take("{\"ack\":", from: &rest), let number = Self.takeNumber(from: &rest) else { return nil }
        self.number = number
        if Self.take(",\"level\":", from: &rest) {
            guard let level = Self.takeNumber(from: &rest) else { return nil }
            self.level = level
        }
        guard rest.elementsEqual(CollectionOfOne(UInt8(ascii: "}"))) else { return nil }
    }

    private static func take(_ text: StaticString, from rest: inout ArraySlice<UInt8>) -> Bool {
        let matches = text.withUTF8Buffer { rest.starts(with: $0) }
        if matches { rest = rest.dropFirst(text.utf8CodeUnitCount) }
        return matches
    }

    /// A number as JSON writes it, without sign, fraction or exponent; at most 18 digits, so that it fits.
    private static func takeNumber(from rest: inout ArraySlice<UInt8>) -> Int64? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard (1...18).contains(digits.count), digits.first != UInt8(ascii: "0") || digits.count == 1 else {
            return nil
        }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }
}
