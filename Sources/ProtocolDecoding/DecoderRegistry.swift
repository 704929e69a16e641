/// Decodes octets of any protocol known here into one line of JSON.
///
/// ```swift
/// let result = DecoderRegistry.standard.decode(bytes, file: "offer.sdp")
/// print(result.json.text)
/// ```
public struct DecoderRegistry: Sendable {
    /// Where in a capture a message was seen.
    public struct Sighting: Sendable, Equatable {
        /// The number of the first packet of its datagram or stream, counted from 1.
        public var frame: Int
        /// How it travelled.
        public var transport: Capture.Transport
        /// From where.
        public var source: Capture.Endpoint
        /// To where.
        public var destination: Capture.Endpoint

        fileprivate var members: [JSONValue.Member] {
            [
                .init("frame", .count(self.frame)), .init("transport", .string(self.transport.rawValue)),
                .init("source", .string(self.source.description)),
                .init("destination", .string(self.destination.description)),
            ]
        }
    }

    /// One input decoded.
    public struct Result: Sendable, Equatable {
        /// The name of the input, when it has one.
        public var file: String?
        /// Where in a capture the message was seen, when it came from one.
        public var seen: Sighting?
        /// The protocol asked for or guessed; nil when nothing is known that looks like the input.
        public var protocolName: String?
        /// What came of it.
        public var decoding: Decoding

        /// The result as an object with `file`, `protocol`, `verdict`, `error` and `fields`.
        public var json: JSONValue {
            var members: [JSONValue.Member] = []
            if let file = self.file { members.append(.init("file", .string(file))) }
            if let seen = self.seen { members += seen.members }
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
        decoders: [SIPDecoder(), SDPDecoder(), MSRPDecoder()] + XMLBodyDecoder.all + [CPIMDecoder()]
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
            return Result(file: file, seen: nil, protocolName: name, decoding: .rejected(failure))
        }
        return Result(file: file, seen: nil, protocolName: decoder.name, decoding: decoder.decode(bytes))
    }

    /// Decodes the messages that a capture holds, in the order of their first packets.
    ///
    /// Payloads that look like none of the protocols are passed over, unless a protocol is named.
    ///
    /// - Parameters:
    ///   - capture: the capture.
    ///   - name: the protocol of all payloads; nil to guess it for each.
    ///   - file: the name of the capture, for the results.
    public func decode(_ capture: Capture, as name: String? = nil, file: String? = nil) -> [Result] {
        capture.payloads.flatMap { payload -> [Result] in
            let decoder = self.decoders.first { name.map($0.name.elementsEqual) ?? $0.resembles(payload.bytes) }
            guard let decoder else { return [] }
            let sighting = Sighting(
                frame: payload.frame,
                transport: payload.transport,
                source: payload.source,
                destination: payload.destination
            )
            let messages = payload.transport == .tcp ? decoder.messages(in: payload.bytes) : [payload.bytes]
            return messages.map { message in
                Result(file: file, seen: sighting, protocolName: decoder.name, decoding: decoder.decode(message))
            }
        }
    }
}
