import MessagingCore

extension ItemWriter {
    /// The document of an envelope, as devices get it and the store keeps it: what `Envelope`'s own encoding says,
    /// written once for each message and therefore without the general encoder.
    static func document(of envelope: Envelope) -> [UInt8] {
        let text = envelope.parts.reduce(0) { $0 + ($1.text?.utf8.count ?? 0) }
        var writer = ItemWriter(reserving: 512 + text)
        writer.envelope(envelope)
        return writer.bytes
    }

    private mutating func envelope(_ envelope: Envelope) {
        text("{\"id\":")
        safe(envelope.id.description)
        text(",\"from\":")
        safe(envelope.from.description)
        text(",\"to\":[")
        for (index, address) in envelope.to.enumerated() {
            if index > 0 { text(",") }
            safe(address.description)
        }
        text("],\"date\":")
        time(envelope.date)
        text(",\"kind\":")
        safe(envelope.kind.rawValue)
        text(",\"conversation\":")
        safe(envelope.conversation.description)
        if let subject = envelope.subject {
            text(",\"subject\":")
            string(subject)
        }
        if let original = envelope.inReplyTo {
            text(",\"inReplyTo\":")
            safe(original.description)
        }
        if let expires = envelope.expires {
            text(",\"expires\":")
            time(expires)
        }
        if let place = envelope.session {
            text(",\"session\":{\"id\":")
            safe(place.id.description)
            text(",\"ordinal\":")
            number(place.ordinal)
            text("}")
        }
        text(",\"parts\":[")
        for (index, part) in envelope.parts.enumerated() {
            if index > 0 { text(",") }
            self.part(part)
        }
        text("]}")
    }

    private mutating func part(_ part: Part) {
        text("{\"type\":")
        string(part.type)
        if let name = part.name {
            text(",\"name\":")
            string(name)
        }
        text(",\"bytes\":")
        number(part.bytes)
        if let content = part.text {
            text(",\"text\":")
            string(content)
        }
        if let hash = part.sha256 {
            text(",\"sha256\":")
            safe(hash.description)
        }
        text("}")
    }
}
