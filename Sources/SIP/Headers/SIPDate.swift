/// The value of Date (RFC 3261 section 20.17): a time in GMT, to the second.
public enum SIPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Writes a time.
    ///
    /// - Parameter seconds: since 1970, without leap seconds; years 0 to 9999 make sense.
    public static func text(unixSeconds seconds: Int64) -> String {
        let (days, rest) = Self.floor(seconds, 86_400)
        // Days since 0000-03-01, in eras of 400 years (proleptic Gregorian calendar).
        let (era, day) = Self.floor(days + 719_468, 146_097)
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let date = dayOfYear - (153 * shifted + 2) / 5 + 1
        let fullYear = year + era * 400 + (month <= 2 ? 1 : 0)
        let weekday = Self.weekdays[Int(Self.floor(days + 4, 7).rest)]
        let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { Self.digits($0, 2) }.joined(separator: ":")
        let name = Self.months[Int(month) - 1]
        return "\(weekday), \(Self.digits(date, 2)) \(name) \(Self.digits(fullYear, 4)) \(clock) GMT"
    }

    /// Reads a time; the day of the week is not compared.
    ///
    /// - Returns: seconds since 1970; nil when it is no such date.
    public static func unixSeconds(_ text: some StringProtocol) -> Int64? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," })
        guard words.count == 6, words[5] == "GMT", let date = Int64(words[1]), (1...31).contains(date),
            let month = Self.months.firstIndex(of: String(words[2])), let year = Int64(words[3]),
            (0...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let shiftedYear = month < 2 ? year - 1 : year
        let (era, yearOfEra) = Self.floor(shiftedYear, 400)
        let shifted = Int64(month < 2 ? month + 10 : month - 2)
        let dayOfYear = (153 * shifted + 2) / 5 + date - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    private static func floor(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, rest: Int64) {
        let rest = (value % divisor + divisor) % divisor
        return ((value - rest) / divisor, rest)
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
