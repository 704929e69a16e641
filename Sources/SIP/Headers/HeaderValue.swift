public import ByteGrammar
import NIOCore

/// A value of a header field that can be read and printed.
public protocol HeaderValue: Sendable, Hashable, CustomStringConvertible {
    /// Takes one value from the cursor and stops behind it, before a comma if there is one.
    ///
    /// - Throws: A ``SIPError``, usually ``SIPError/Code/malformedHeaderValue``.
    init(parsing cursor: inout ByteCursor) throws(SIPError)
}

extension HeaderValue {
    /// Reads a value that fills the whole text.
    ///
    /// - Throws: As ``init(parsing:)``, and ``SIPError/Code/malformedHeaderValue`` when text is left.
    public init(_ text: String) throws(SIPError) {
        let bytes = Array(text.utf8)
        var cursor = ByteCursor(bytes.span)
        cursor.skipWhitespace()
        let value = try Self(parsing: &cursor)
        cursor.skipWhitespace()
        guard cursor.isAtEnd else {
            throw SIPError(.malformedHeaderValue, "unexpected text behind the value", offset: cursor.offset)
        }
        self = value
    }
}

extension SIPMessage {
    /// Decodes a header field that has one value.
    ///
    /// - Returns: The value, or nil when there is no such header field.
    /// - Throws: ``SIPError/Code/repeatedHeader`` when it stands twice, else what the value throws. Offsets count from
    ///   the first byte of the message.
    public func value<Value: HeaderValue>(
        _ name: HeaderName,
        as type: Value.Type = Value.self
    ) throws(SIPError) -> Value? {
        guard let index = self.index(of: name) else { return nil }
        let field = self.fields[index]
        if let second = self.index(of: name, from: index + 1) {
            throw SIPError(.repeatedHeader, "\(name) stands twice", offset: self.fields[second].line.lowerBound)
        }
        var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(field.value))
        do throws(SIPError) {
            let value = try Value(parsing: &cursor)
            cursor.skipWhitespace()
            guard cursor.isAtEnd else {
                throw SIPError(.malformedHeaderValue, "unexpected text in \(name)", offset: cursor.offset)
            }
            return value
        } catch {
            throw error.moved(to: field.value.lowerBound + (error.offset ?? 0))
        }
    }

    /// Decodes the first value of a header field that is a list.
    ///
    /// - Returns: The value, or nil when there is no such header field.
    /// - Throws: What the value throws.
    public func first<Value: HeaderValue>(
        _ name: HeaderName,
        as type: Value.Type = Value.self
    ) throws(SIPError) -> Value? {
        guard let index = self.index(of: name) else { return nil }
        let field = self.fields[index]
        var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(field.value))
        do throws(SIPError) {
            let value = try Value(parsing: &cursor)
            cursor.skipWhitespace()
            guard cursor.isAtEnd || cursor.next == 0x2C else {
                throw SIPError(.malformedHeaderValue, "unexpected text in \(name)", offset: cursor.offset)
            }
            return value
        } catch {
            throw error.moved(to: field.value.lowerBound + (error.offset ?? 0))
        }
    }

    /// Decodes all values of a header field that is a list, over all of its lines.
    ///
    /// - Throws: ``SIPError/Code/tooManyItems``, ``SIPError/Code/malformedHeaderValue`` for an empty entry, or what a
    ///   value throws.
    public func list<Value: HeaderValue>(
        _ name: HeaderName,
        as type: Value.Type = Value.self
    ) throws(SIPError) -> [Value] {
        var values: [Value] = []
        var next = self.index(of: name)
        while let index = next {
            let field = self.fields[index]
            next = self.index(of: name, from: index + 1)
            var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(field.value))
            do throws(SIPError) {
                try Self.takeList(&cursor, into: &values)
            } catch {
                throw error.moved(to: field.value.lowerBound + (error.offset ?? 0))
            }
        }
        return values
    }

    private static func takeList<Value: HeaderValue>(
        _ cursor: inout ByteCursor,
        into values: inout [Value]
    ) throws(SIPError) {
        guard !cursor.isAtEnd else {
            guard Value.self == Token.self || Value.self == TokenWithParameters.self else {
                throw SIPError(.malformedHeaderValue, "an empty list", offset: 0)
            }
            return
        }
        repeat {
            guard values.count < SIPLimits.listItems else {
                throw SIPError(.tooManyItems, "more than \(SIPLimits.listItems) values", offset: cursor.offset)
            }
            values.append(try Value(parsing: &cursor))
        } while cursor.separator(0x2C)
        cursor.skipWhitespace()
        guard cursor.isAtEnd else {
            throw SIPError(.malformedHeaderValue, "unexpected text between values", offset: cursor.offset)
        }
    }

    /// Decodes a header field that is a number of at most `maximum`.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/repeatedHeader``.
    public func number(_ name: HeaderName, maximum: UInt64 = UInt64(UInt32.max)) throws(SIPError) -> UInt64? {
        guard let index = self.index(of: name) else { return nil }
        let field = self.fields[index]
        guard self.index(of: name, from: index + 1) == nil else {
            throw SIPError(.repeatedHeader, "\(name) stands twice", offset: field.line.lowerBound)
        }
        guard let value = ASCII.unsigned(self.storage.readableBytesUInt8Span, field.value, maximum: maximum) else {
            throw SIPError(
                .malformedHeaderValue,
                "\(name) is not a number up to \(maximum)",
                offset: field.value.lowerBound
            )
        }
        return value
    }
}
