import MessagingCore

/// The frames of one user's change, each form built once and shared by the devices that get the same.
///
/// Used within one inbox's turn only.
final class ChangeRendering {
    let change: UserChange
    private var single: [Key: [UInt8]] = [:]

    private struct Key: Hashable {
        var forms: [Choice]
    }

    /// What one device gets of one item.
    struct Choice: Hashable {
        var form: ItemWriter.Form
        var deliver: Deliver
        var silent: Bool
        var reports: Bool
    }

    init(_ change: UserChange) { self.change = change }

    /// The frame for these choices, one for each item; nil leaves the item out.
    func frame(_ choices: [Choice?]) -> [UInt8] {
        let key = Key(
            forms: choices.map { $0 ?? Choice(form: .state, deliver: .nothing, silent: true, reports: false) }
        )
        if let frame = single[key] { return frame }
        var writer = ItemWriter(reserving: 256 + change.items.reduce(0) { $0 + ($1.document?.count ?? 0) + 256 })
        writer.text("{\"changes\":[")
        var first = true
        for (changed, choice) in zip(change.items, choices) {
            guard let choice else { continue }
            if !first { writer.text(",") }
            first = false
            writer.item(
                changed.item,
                decision: changed.item.message == nil ? nil : Decision(choice),
                form: choice.form,
                document: changed.document,
                notice: nil,
                reports: choice.reports
            )
        }
        writer.text("],\"upTo\":")
        writer.number(change.head)
        writer.text(",\"level\":")
        writer.number(change.head)
        writer.text("}")
        single[key] = writer.bytes
        return writer.bytes
    }
}

extension Decision {
    init(_ choice: ChangeRendering.Choice) {
        self.init(choice.deliver, silent: choice.silent, because: .otherwise)
    }
}
