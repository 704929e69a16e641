/// A point on the wall clock, in milliseconds since 1970-01-01T00:00:00Z; written as RFC 3339 in documents.
public struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable {
    public var rawValue: Int64

    /// Wraps milliseconds since 1970.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

    /// The time `milliseconds` later (or earlier, if negative); saturates at the ends.
    public func advanced(by milliseconds: Int64) -> Timestamp {
        let (sum, overflow) = rawValue.addingReportingOverflow(milliseconds)
        return Timestamp(rawValue: overflow ? (milliseconds > 0 ? .max : .min) : sum)
    }

    /// Milliseconds from `other` to this time.
    public func milliseconds(since other: Timestamp) -> Int64 { rawValue &- other.rawValue }
}

extension Timestamp: CustomStringConvertible, Codable {
    private static let millisecondsPerDay: Int64 = 86_400_000

    /// RFC 3339 in UTC with milliseconds, such as `2026-03-01T10:00:00.000Z`.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        write(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the RFC 3339 form, 24 bytes for years 0 to 9999.
    public func write(into bytes: inout [UInt8]) {
        let day = rawValue.flooredQuotient(Self.millisecondsPerDay)
        let rest = rawValue - day * Self.millisecondsPerDay
        let (year, month, date) = civil(fromDay: day)
        func append(_ value: Int64, width: Int) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                bytes.append(UInt8(ascii: "0") + UInt8(abs(value / divisor) % 10))
                divisor /= 10
            }
        }
        append(year, width: 4)
        bytes.append(UInt8(ascii: "-"))
        append(month, width: 2)
        bytes.append(UInt8(ascii: "-"))
        append(date, width: 2)
        bytes.append(UInt8(ascii: "T"))
        append(rest / 3_600_000, width: 2)
        bytes.append(UInt8(ascii: ":"))
        append(rest / 60000 % 60, width: 2)
        bytes.append(UInt8(ascii: ":"))
        append(rest / 1000 % 60, width: 2)
        bytes.append(UInt8(ascii: "."))
        append(rest % 1000, width: 3)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Reads RFC 3339 (section 5.6) with any fraction and offset; nil if it is not one.
    public init?(_ text: String) {
        var reader = DigitReader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let date = reader.number(2), reader.take("T") || reader.take("t") || reader.take(" "),
            let hour = reader.number(2), reader.take(":"), let minute = reader.number(2), reader.take(":"),
            let second = reader.number(2),
            (1...12).contains(month), (1...31).contains(date), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if reader.take(".") {
            guard let read = reader.milliseconds() else { return nil }
            fraction = read
        }
        guard let offset = reader.offsetMinutes(), reader.isAtEnd else { return nil }
        let seconds = hour * 3600 + minute * 60 + second - offset * 60
        rawValue = day(year: year, month: month, date: date) * Self.millisecondsPerDay + seconds * 1000 + fraction
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let time = Timestamp(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a time as in RFC 3339")
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Minutes since midnight and the day of the week (1 is Monday) at an offset east of UTC.
    public func localMinute(utcOffsetMinutes: Int) -> (minute: Int, weekday: Int) {
        let local = rawValue + Int64(utcOffsetMinutes) * 60000
        let day = local.flooredQuotient(Self.millisecondsPerDay)
        let minute = (local - day * Self.millisecondsPerDay) / 60000
        let sinceMonday = (day + 3) - (day + 3).flooredQuotient(7) * 7
        return (Int(minute), Int(sinceMonday) + 1)
    }
}

private struct DigitReader {
    let bytes: [UInt8]
    var offset = 0

    var isAtEnd: Bool { offset == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        guard offset + width <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[offset..<offset + width] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        offset += width
        return value
    }

    mutating func milliseconds() -> Int64? {
        var value: Int64 = 0
        var scale: Int64 = 100
        var any = false
        while let digit = number(1) {
            value += digit * scale
            scale /= 10
            any = true
        }
        return any ? value : nil
    }

    mutating func offsetMinutes() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let sign: Int64
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counted in eras of 400 years from March.
private func day(year: Int64, month: Int64, date: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted.flooredQuotient(400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

private func civil(fromDay day: Int64) -> (year: Int64, month: Int64, date: Int64) {
    let shifted = day + 719_468
    let era = shifted.flooredQuotient(146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let date = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, date)
}
