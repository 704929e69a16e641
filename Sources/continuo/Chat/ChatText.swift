import ClientWire
import MessagingCore
import SessionCore

extension SessionDocument {
    /// Everybody else, or those who were asked.
    var others: [Address] {
        let present = participants.isEmpty ? [creator] + invited : participants
        return present.filter { $0 != user }
    }

    var with: String { others.map(shown).joined(separator: ", ") }

    /// The session as a person reads it: a line about it, then its devices and media.
    func summary(_ labels: [DeviceID: String]) -> String {
        let about = subject.map { " \"\(printable($0))\"" } ?? ""
        var lines = ["\(id)  with \(with)\(about)  [\(state.rawValue)\(end.map { ": \($0.rawValue)" } ?? "")]"]
        for leg in legs {
            let to = leg.to.map { ", moved to \(name($0, labels))" } ?? ""
            lines.append("    on \(name(leg.device, labels)): \(leg.state.rawValue)\(to)")
        }
        return (lines + mediaLines(labels).map { "    " + $0 }).joined(separator: "\n")
    }

    func mediaLines(_ labels: [DeviceID: String]) -> [String] {
        media.map { medium in
            let places = medium.placements.map { placement in
                placement.user == user ? name(placement.device, labels) : shown(placement.user)
            }
            let held = medium.held.isEmpty ? "" : ", held by \(medium.held.map(shown).joined(separator: ", "))"
            let sender = medium.sender.map { ", only from \(shown($0))" } ?? ""
            let playback = medium.playback.map { playback in
                let seconds = Double(playback.state.position) / 1000
                return ", \(playback.state.isPlaying ? "playing" : "paused") at \(seconds) s"
            }
            return
                "\(medium.id.rawValue): \(medium.kind.rawValue) on \(places.joined(separator: " and "))\(sender)\(held)"
                + (playback ?? "")
        }
            + pending.map { change in
                let what = change.kind?.rawValue ?? "medium \(change.medium.rawValue)"
                let whom =
                    change.awaited.isEmpty ? "" : ", waits for \(change.awaited.map(shown).joined(separator: ", "))"
                return "\(shown(change.by)) wants to \(change.change.rawValue) \(what)\(whom)"
            }
    }

    private func name(_ device: DeviceID, _ labels: [DeviceID: String]) -> String {
        labels[device].map(printable) ?? "device \(device.rawValue)"
    }
}

extension CounterpartDocument {
    var text: String {
        guard let features else { return "\(shown(user)) does not show devices" }
        guard let devices else {
            return "\(shown(user)) can do: \(features.map(printable).joined(separator: ", "))"
        }
        let lines = devices.map { device in
            let media =
                device.media.isEmpty ? "" : ", has \(device.media.map { "\($0.rawValue)" }.joined(separator: ", "))"
            let state = device.registered ? "" : ", not registered"
            let features = device.features.isEmpty ? "text" : device.features.map(printable).joined(separator: ", ")
            return "    \(printable(device.label)) (\(device.kind.rawValue)): \(features)\(media)\(state)"
        }
        return (["\(shown(user))'s devices:"] + lines).joined(separator: "\n")
    }
}
