/// Decodes octets of any protocol known here into one line of JSON.
///
/// ```swift
/// let result = DecoderRegistry.standard.decode(bytes, file: "offer.sdp")
/// print(result.json.text)
/// ```
public struct DecoderRegistry: Sendable {
    /// One input decoded.
    public struct Result: Sendable, Equatable {
        /// The name of the input, when it has one.
        public var file: String?
        /// The protocol asked for or guessed; nil when nothing is known that looks like the input.
        public var protocolName: String?
        /// What came of it.
        public var decoding: Decoding

        /// The result as an object with `file`, `protocol`, `verdict`, `error` and `fields`.
        public var json: JSONValue {
            var members: [JSONValue.Member] = []
            if let file = self.file { members.append(.init("file", .string(file))) }
            members.append(.init("protocol", .optional(self.protocolName)))
            members.append(.init("verdict", .string(self.decoding.verdict.rawValue)))
            if let failure = self.decoding.failure {
                members.append(
                    .init(
                        "error",
                        .object([
                            .init("code", .string(failure.code)),
                            .init("offset", .optional(failure.offset.map { UInt64(max($0, 0)) })),
                            .init("expected", .string(failure.expected)),
                        ])
                    )
                )
            }
            members.append(.init("fields", .object(self.decoding.fields)))
            return .object(members)
        }
    }

    /// The decoders, in the order in which they are asked whether an input looks like theirs.
    public let decoders: [any ProtocolDecoder]

    /// Makes one with decoders of choice.
    public init(decoders: [any ProtocolDecoder]) { self.decoders = decoders }

    /// All protocols known here.
    public static let standard = DecoderRegistry(
        decoders: [SDPDecoder(), MSRPDecoder()] + XMLBodyDecoder.all + [CPIMDecoder()]
    )

    /// The names that can be asked for.
    public var names: [String] { self.decoders.map(\.name) }

    /// Decodes an input.
    ///
    /// - Parameters:
    ///   - bytes: the octets of one message.
    ///   - name: the protocol, one of ``names``; nil to guess it.
    ///   - file: the name of the input, for the result.
    public func decode(_ bytes: [UInt8], as name: String? = nil, file: String? = nil) -> Result {
        let decoder = self.decoders.first { name.map($0.name.elementsEqual) ?? $0.resembles(bytes) }
        guard let decoder else {
            let failure = Decoding.Failure(
                code: "decode-unknown-protocol",
                offset: nil,
                expected: "one of \(self.names.joined(separator: ", "))"
            )
            return Result(file: file, protocolName: name, decoding: .rejected(failure))
        }
        return Result(file: file, protocolName: decoder.name, decoding: decoder.decode(bytes))
    }
}
