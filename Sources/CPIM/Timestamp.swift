internal import ByteGrammar

/// A date and time with its offset from UTC (RFC 3339), as DateTime headers and the XML bodies carry it.
public struct Timestamp: Sendable, Hashable {
    /// The year, 0 to 9999.
    public let year: Int
    /// The month, 1 to 12.
    public let month: Int
    /// The day of the month, from 1.
    public let day: Int
    /// The hour, 0 to 23.
    public let hour: Int
    /// The minute, 0 to 59.
    public let minute: Int
    /// The second, 0 to 59, or 60 for a leap second.
    public let second: Int
    /// The fraction of the second in nanoseconds; further digits are dropped.
    public let nanosecond: Int
    /// Minutes east of UTC.
    public let offsetMinutes: Int

    /// Reads a date and time; `t` and `z` may be small, and a space may stand for the T.
    ///
    /// - Throws: ``CPIMError`` when it breaks the grammar or names no day of the calendar.
    public init(_ text: String) throws(CPIMError) {
        var reader = Reader(bytes: Array(text.utf8))
        guard let parsed = reader.timestamp() else {
            throw CPIMError(.invalidDateTime, "a date and time of RFC 3339", offset: reader.position)
        }
        self = parsed
    }

    /// Makes a time in UTC from seconds and nanoseconds since 1970; years beyond 0 to 9999 are held at the edge.
    public init(unixSeconds: Int64, nanosecond: Int = 0) {
        let seconds = min(max(unixSeconds, -62_167_219_200), 253_402_300_799)
        let days = (seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400
        let rest = Int(seconds - days * 86_400)
        let (year, month, day) = Self.civil(fromDays: Int(days))
        self.init(
            year: year,
            month: month,
            day: day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanosecond: min(max(nanosecond, 0), 999_999_999),
            offsetMinutes: 0
        )
    }

    fileprivate init(
        year: Int,
        month: Int,
        day: Int,
        hour: Int,
        minute: Int,
        second: Int,
        nanosecond: Int,
        offsetMinutes: Int
    ) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.nanosecond = nanosecond
        self.offsetMinutes = offsetMinutes
    }

    /// Whole seconds since 1970 in UTC; a leap second counts as the second after it.
    public var unixSeconds: Int64 {
        let days = Self.days(year: self.year, month: self.month, day: self.day)
        let local = days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
        return Int64(local - self.offsetMinutes * 60)
    }

    /// The text of RFC 3339: `Z` for UTC, as many digits of the fraction as are needed (in threes).
    public var text: String {
        let date = "\(Self.pad(self.year, 4))-\(Self.pad(self.month, 2))-\(Self.pad(self.day, 2))"
        let time = "\(Self.pad(self.hour, 2)):\(Self.pad(self.minute, 2)):\(Self.pad(self.second, 2))"
        var fraction = ""
        if self.nanosecond > 0 {
            var digits = Self.pad(self.nanosecond, 9)
            while digits.hasSuffix("000") { digits.removeLast(3) }
            fraction = ".\(digits)"
        }
        guard self.offsetMinutes != 0 else { return "\(date)T\(time)\(fraction)Z" }
        let offset = abs(self.offsetMinutes)
        let sign = self.offsetMinutes < 0 ? "-" : "+"
        return "\(date)T\(time)\(fraction)\(sign)\(Self.pad(offset / 60, 2)):\(Self.pad(offset % 60, 2))"
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Days since 1970 of a day of the Gregorian calendar, counted in years that begin in March.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    fileprivate static func daysIn(month: Int, year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

/// Reads the fixed fields of RFC 3339 section 5.6.
private struct Reader {
    let bytes: [UInt8]
    var position = 0

    mutating func timestamp() -> Timestamp? {
        guard let year = self.number(4), self.take("-"), let month = self.number(2), self.take("-"),
            let day = self.number(2), self.take("T") || self.take("t") || self.take(" "),
            let hour = self.number(2), self.take(":"), let minute = self.number(2), self.take(":"),
            let second = self.number(2), (1...12).contains(month), day >= 1,
            day <= Timestamp.daysIn(month: month, year: year), hour <= 23, minute <= 59, second <= 60,
            let nanosecond = self.fraction(), let offset = self.offset(), self.position == self.bytes.count
        else { return nil }
        return Timestamp(
            year: year,
            month: month,
            day: day,
            hour: hour,
            minute: minute,
            second: second,
            nanosecond: nanosecond,
            offsetMinutes: offset
        )
    }

    private mutating func take(_ character: Character) -> Bool {
        guard self.position < self.bytes.count, self.bytes[self.position] == character.asciiValue else { return false }
        self.position += 1
        return true
    }

    private mutating func number(_ width: Int) -> Int? {
        guard self.bytes.count - self.position >= width,
            let value = ByteText.decimal(self.bytes[self.position..<self.position + width])
        else { return nil }
        self.position += width
        return Int(value)
    }

    private mutating func fraction() -> Int? {
        guard self.take(".") else { return 0 }
        let start = self.position
        var nanosecond = 0
        var scale = 100_000_000
        while self.position < self.bytes.count, ByteSet.digit.contains(self.bytes[self.position]) {
            nanosecond += Int(self.bytes[self.position] - 0x30) * scale
            scale /= 10
            self.position += 1
        }
        return self.position > start ? nanosecond : nil
    }

    private mutating func offset() -> Int? {
        if self.take("Z") || self.take("z") { return 0 }
        let isEast = self.take("+")
        guard isEast || self.take("-"), let hours = self.number(2), self.take(":"), let minutes = self.number(2),
            hours <= 23, minutes <= 59
        else { return nil }
        return (isEast ? 1 : -1) * (hours * 60 + minutes)
    }
}
