internal import ByteGrammar

/// The encodings by which content travels: Content-Transfer-Encoding (RFC 2045 section 6) and Content-Encoding.
public enum TransferEncoding {
    /// Undoes a Content-Transfer-Encoding.
    ///
    /// - Parameter name: `7bit`, `8bit`, `binary`, `base64` or `quoted-printable`, in any case.
    /// - Throws: ``CPIMError`` when the encoding is not known or the content is not in it.
    public static func decode(_ body: ArraySlice<UInt8>, encoding name: String) throws(CPIMError) -> [UInt8] {
        switch name.lowercased() {
        case "7bit", "8bit", "binary", "": return Array(body)
        case "base64": return try self.decodeBase64(body)
        case "quoted-printable": return self.decodeQuotedPrintable(body)
        default: throw CPIMError(.unsupportedEncoding, "a transfer encoding of RFC 2045, not \(name)")
        }
    }

    private static func decodeBase64(_ body: ArraySlice<UInt8>) throws(CPIMError) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(body.count / 4 * 3)
        var bits: UInt32 = 0
        var digits = 0
        var padding = 0
        for (index, byte) in zip(body.indices, body) {
            if ByteText.isBlank(byte) || byte == 0x0D || byte == 0x0A { continue }
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = self.base64Value(byte) else {
                throw CPIMError(.invalidTransferEncoding, "base64", offset: index)
            }
            bits = bits << 6 | UInt32(value)
            digits += 1
            if digits == 4 {
                output.append(contentsOf: [UInt8(bits >> 16 & 0xFF), UInt8(bits >> 8 & 0xFF), UInt8(bits & 0xFF)])
                (bits, digits) = (0, 0)
            }
        }
        switch (digits, padding) {
        case (0, 0): break
        case (2, 0), (2, 2): output.append(UInt8(bits >> 4 & 0xFF))
        case (3, 0), (3, 1): output.append(contentsOf: [UInt8(bits >> 10 & 0xFF), UInt8(bits >> 2 & 0xFF)])
        default: throw CPIMError(.invalidTransferEncoding, "complete base64", offset: body.endIndex)
        }
        return output
    }

    private static func base64Value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// Decodes; an equals sign that begins nothing stays as it is (RFC 2045 section 6.7 note).
    private static func decodeQuotedPrintable(_ body: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(body.count)
        var index = body.startIndex
        while index < body.endIndex {
            let rest = body[index...]
            guard body[index] == UInt8(ascii: "=") else {
                output.append(body[index])
                index += 1
                continue
            }
            let next = rest.dropFirst().first
            let afterNext = rest.dropFirst(2).first
            if next == 0x0A {
                index += 2
            } else if next == 0x0D, afterNext == 0x0A {
                index += 3
            } else if let next, let afterNext, let high = ASCII.hexadecimalValue(next),
                let low = ASCII.hexadecimalValue(afterNext)
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(body[index])
                index += 1
            }
        }
        return output
    }

    /// Encodes in base64, in lines of 76 characters as MIME wants them.
    public static func encodeBase64(_ bytes: some Sequence<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var output: [UInt8] = []
        var group: [UInt8] = []
        var column = 0
        func flush() {
            guard !group.isEmpty else { return }
            if column == 76 {
                output.append(contentsOf: [0x0D, 0x0A])
                column = 0
            }
            let padded = group + [UInt8](repeating: 0, count: 3 - group.count)
            let bits = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
            for place in 0..<4 {
                let digit = alphabet[Int(bits >> UInt32(18 - 6 * place) & 0x3F)]
                output.append(place <= group.count ? digit : UInt8(ascii: "="))
            }
            group.removeAll(keepingCapacity: true)
            column += 4
        }
        for byte in bytes {
            group.append(byte)
            if group.count == 3 { flush() }
        }
        flush()
        return ByteText.string(output)
    }

    /// Undoes a content coding.
    ///
    /// - Parameters:
    ///   - name: `deflate` (the zlib format, as liblinphone sends it) or `identity`, in any case.
    ///   - maximumBytes: the largest result.
    /// - Throws: ``CPIMError`` when the coding is not known, the content is damaged, or the result too large.
    public static func decode(
        _ body: ArraySlice<UInt8>,
        contentCoding name: String,
        maximumBytes: Int = CPIMLimits.standard.maximumDecodedBytes
    ) throws(CPIMError) -> [UInt8] {
        switch name.lowercased() {
        case "identity", "": return Array(body)
        case "deflate": return try Inflate.zlib(body, maximumBytes: maximumBytes)
        default: throw CPIMError(.unsupportedEncoding, "deflate or identity, not \(name)")
        }
    }
}

extension MIMEEntity {
    /// The content with its transfer encoding and content coding undone.
    ///
    /// - Throws: ``CPIMError`` when an encoding is not known, the content is damaged, or the result too large.
    public func decodedBody(limits: CPIMLimits = .standard) throws(CPIMError) -> [UInt8] {
        let plain = try TransferEncoding.decode(self.body, encoding: self.header("Content-Transfer-Encoding") ?? "")
        guard plain.count <= limits.maximumDecodedBytes else {
            throw CPIMError(.contentTooLarge, "at most \(limits.maximumDecodedBytes) octets")
        }
        guard let coding = self.header("Content-Encoding") else { return plain }
        return try TransferEncoding.decode(
            plain[...],
            contentCoding: coding,
            maximumBytes: limits.maximumDecodedBytes
        )
    }
}
