import ClientWire
import MessagingCore
import Store

/// What the hub tells a session: pushed from memory when the stream stands right before it.
extension DeviceSession {
    func replaced() { end(CloseCode.replaced, "the device connected again") }

    func revoked() { end(CloseCode.unauthenticated, "the device was revoked") }

    func suspended() { end(CloseCode.suspended, "the account is suspended") }

    /// A device that hears that its token is void forgets all that it has: only where that is so.
    func end(refusing error: any Error) {
        switch (error as? Refusal)?.code {
        case .unauthenticated?: revoked()
        case .notEntitled?: suspended()
        default: end(CloseCode.goingAway, "the server could not look up the device")
        }
    }

    /// A hint is worth nothing later: what the link does not take now is dropped.
    func hint(_ frame: [UInt8]) {
        guard case .open = phase, link.isWritable else { return }
        link.write(frame)
        link.flush()
    }

    func changed(_ change: UserChange, _ rendering: ChangeRendering) {
        guard case .open(let identity) = phase else {
            if case .opening = phase { _ = stream.changed(base: change.base, head: change.head) }
            return
        }
        guard let device = change.devices.first(where: { $0.id == identity.device }) else { return revoked() }
        guard case .push = handing(stream.changed(base: change.base, head: change.head)) else { return }
        guard let choices = change.choices(for: device), link.isWritable else {
            return act(stream.readInstead(from: change.base))
        }
        if choices.contains(where: { $0 != nil }) || change.head > change.base {
            let frame = rendering.frame(choices)
            let deliverables = zip(change.items, choices).compactMap { changed, choice in
                choice.map { $0.form != .state && changed.item.isDeliverable } == true ? changed.item.created : nil
            }
            stream.noteSent(
                upTo: change.head,
                items: max(1, change.items.count),
                bytes: frame.count,
                deliverables: deliverables
            )
            link.write(frame)
            link.flush()
        }
    }

    /// Carries out everything but a push, which the caller does.
    private func handing(_ action: DeviceStream.Action) -> DeviceStream.Action {
        if action != .push { act(action) }
        return action
    }
}

extension UserChange {
    /// What this device gets of each item; nil when the store must be read for it.
    func choices(for device: Device) -> [ChangeRendering.Choice?]? {
        var choices: [ChangeRendering.Choice?] = []
        choices.reserveCapacity(items.count)
        for changed in items {
            guard let message = changed.item.message else {
                choices.append(
                    !device.isTold(ofStateOf: changed.item)
                        ? nil : ChangeRendering.Choice(form: .state, deliver: .whole, silent: true, reports: true)
                )
                continue
            }
            guard let decision = message.decisions[device.id] else { return nil }
            var form = ItemWriter.Form.state
            if changed.document != nil, decision.because != .sentFromHere {
                // A notice needs its link and a look into the content: the page reader makes those.
                if decision.deliver == .notification { return nil }
                form = .whole
            } else if changed.item.created <= base, !device.isTold(ofStateOf: changed.item) {
                choices.append(nil)
                continue
            }
            choices.append(
                decision.deliver == .nothing
                    ? nil
                    : ChangeRendering.Choice(
                        form: form,
                        deliver: decision.deliver,
                        silent: decision.silent,
                        reports: message.receivers.isEmpty || wantsReports(device)
                    )
            )
        }
        return choices
    }

    /// Whether this device is told of reports.
    func wantsReports(_ device: Device) -> Bool { reportsDevices?.contains(device.id) ?? true }
}

extension Device {
    /// Whether it is told what became of an item that it knows: reads and deletions made elsewhere can be turned off,
    /// reports on sent messages go by their own rules.
    func isTold(ofStateOf item: Item) -> Bool {
        if synchronises || item.kind != .message { return true }
        guard let message = item.message else { return false }
        return !message.flags.contains(.received)
    }
}

extension Item {
    /// Its arrival is to be reported to the sender.
    var isDeliverable: Bool {
        guard let flags = message?.flags else { return false }
        return flags.contains(.received) && flags.contains(.wantsDelivered) && !flags.contains(.delivered)
    }
}
