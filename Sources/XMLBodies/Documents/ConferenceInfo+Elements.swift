extension BodyElement {
    /// The state attribute of RFC 4575, which is `full` unless given.
    func optionalState() throws(XMLError) -> DocumentState {
        try self.attribute("state") == nil ? .full : DocumentState.required(of: self)
    }

    /// Appends an element that holds others, unless there are none.
    mutating func append(_ local: String, holding elements: [BodyElement]) {
        guard !elements.isEmpty else { return }
        var holder = BodyElement(XMLName(local, in: self.name.namespace))
        holder.append(elements)
        self.append(holder)
    }

    fileprivate static func conference(_ local: String) -> BodyElement {
        BodyElement(XMLName(local, in: ConferenceInfo.rootName.namespace))
    }

    fileprivate func flagOfFirst(_ local: String) -> Bool? {
        switch self.tokenOfFirst(local) {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }
}

extension ConferenceInfo.URIEntry {
    init(element: BodyElement) {
        self.init(
            uri: element.tokenOfFirst("uri") ?? "",
            displayText: element.tokenOfFirst("display-text"),
            purpose: element.tokenOfFirst("purpose")
        )
    }

    var element: BodyElement {
        var element = BodyElement.conference("entry")
        element.append("uri", text: self.uri)
        element.append("display-text", text: self.displayText)
        element.append("purpose", text: self.purpose)
        return element
    }
}

extension ConferenceInfo.AvailableMedium {
    init(element: BodyElement) throws(XMLError) {
        self.init(
            label: try element.requiredAttribute("label"),
            displayText: element.tokenOfFirst("display-text"),
            type: element.tokenOfFirst("type"),
            status: element.tokenOfFirst("status")
        )
    }

    var element: BodyElement {
        var element = BodyElement.conference("entry")
        element.set("label", self.label)
        element.append("display-text", text: self.displayText)
        element.append("type", text: self.type)
        element.append("status", text: self.status)
        return element
    }
}

extension ConferenceInfo.Description {
    init(element: BodyElement) throws(XMLError) {
        self.displayText = element.tokenOfFirst("display-text")
        self.subject = element.tokenOfFirst("subject")
        self.freeText = element.tokenOfFirst("free-text")
        self.keywords = element.tokenOfFirst("keywords")
        self.conferenceURIs = element.first("conf-uris")?.all("entry").map(ConferenceInfo.URIEntry.init) ?? []
        self.serviceURIs = element.first("service-uris")?.all("entry").map(ConferenceInfo.URIEntry.init) ?? []
        self.maximumUserCount = element.tokenOfFirst("maximum-user-count")?.unsignedInteger
        for child in element.first("available-media")?.all("entry") ?? [] {
            self.availableMedia.append(try ConferenceInfo.AvailableMedium(element: child))
        }
        self.extensions = element.elements(except: [
            "display-text", "subject", "free-text", "keywords", "conf-uris", "service-uris", "maximum-user-count",
            "available-media",
        ])
    }

    var element: BodyElement {
        var element = BodyElement.conference("conference-description")
        element.append("display-text", text: self.displayText)
        element.append("subject", text: self.subject)
        element.append("free-text", text: self.freeText)
        element.append("keywords", text: self.keywords)
        element.append("conf-uris", holding: self.conferenceURIs.map(\.element))
        element.append("service-uris", holding: self.serviceURIs.map(\.element))
        element.append("maximum-user-count", text: self.maximumUserCount.map(String.init))
        element.append("available-media", holding: self.availableMedia.map(\.element))
        element.append(self.extensions)
        return element
    }
}

extension ConferenceInfo.Host {
    init(element: BodyElement) {
        self.displayText = element.tokenOfFirst("display-text")
        self.webPage = element.tokenOfFirst("web-page")
        self.uris = element.first("uris")?.all("entry").map(ConferenceInfo.URIEntry.init) ?? []
    }

    var element: BodyElement {
        var element = BodyElement.conference("host-info")
        element.append("display-text", text: self.displayText)
        element.append("web-page", text: self.webPage)
        element.append("uris", holding: self.uris.map(\.element))
        return element
    }
}

extension ConferenceInfo.Status {
    init(element: BodyElement) {
        self.init(
            userCount: element.tokenOfFirst("user-count")?.unsignedInteger,
            isActive: element.flagOfFirst("active"),
            isLocked: element.flagOfFirst("locked")
        )
    }

    var element: BodyElement {
        var element = BodyElement.conference("conference-state")
        element.append("user-count", text: self.userCount.map(String.init))
        element.append("active", text: self.isActive.map(String.init))
        element.append("locked", text: self.isLocked.map(String.init))
        return element
    }
}

extension ConferenceInfo.Users {
    init(element: BodyElement) throws(XMLError) {
        self.init(state: try element.optionalState(), users: [])
        for child in element.all("user") { self.users.append(try ConferenceInfo.User(element: child)) }
    }

    var element: BodyElement {
        var element = BodyElement.conference("users")
        element.set("state", self.state.rawValue)
        element.append(self.users.map(\.element))
        return element
    }
}

extension ConferenceInfo.User {
    init(element: BodyElement) throws(XMLError) {
        self.init(
            entity: element.attribute("entity")?.collapsed,
            state: try element.optionalState(),
            displayText: element.tokenOfFirst("display-text")
        )
        self.associatedAddresses =
            element.first("associated-aors")?.all("entry").map(ConferenceInfo.URIEntry.init) ?? []
        self.roles = element.first("roles")?.all("entry").map(\.token) ?? []
        self.languages = element.tokenOfFirst("languages")
        for child in element.all("endpoint") {
            self.endpoints.append(try ConferenceInfo.Endpoint(element: child))
        }
        self.extensions = element.elements(except: [
            "display-text", "associated-aors", "roles", "languages", "endpoint",
        ])
    }

    var element: BodyElement {
        var element = BodyElement.conference("user")
        element.set("entity", self.entity)
        element.set("state", self.state.rawValue)
        element.append("display-text", text: self.displayText)
        element.append("associated-aors", holding: self.associatedAddresses.map(\.element))
        element.append(
            "roles",
            holding: self.roles.map { BodyElement(XMLName("entry", in: element.name.namespace), text: $0) }
        )
        element.append("languages", text: self.languages)
        element.append(self.endpoints.map(\.element))
        element.append(self.extensions)
        return element
    }
}

extension ConferenceInfo.Endpoint {
    init(element: BodyElement) throws(XMLError) {
        self.init(
            entity: element.attribute("entity")?.collapsed,
            state: try element.optionalState(),
            status: element.tokenOfFirst("status")
        )
        self.displayText = element.tokenOfFirst("display-text")
        self.referred = element.first("referred").map(ConferenceInfo.Execution.init)
        self.joiningMethod = element.tokenOfFirst("joining-method")
        self.joining = element.first("joining-info").map(ConferenceInfo.Execution.init)
        self.disconnectionMethod = element.tokenOfFirst("disconnection-method")
        self.disconnection = element.first("disconnection-info").map(ConferenceInfo.Execution.init)
        for child in element.all("media") { self.media.append(try ConferenceInfo.Medium(element: child)) }
        if let sip = element.first("call-info")?.first("sip") {
            self.dialog = DialogInfo.Reference(
                callID: try sip.requiredToken("call-id"),
                localTag: try sip.requiredToken("from-tag"),
                remoteTag: try sip.requiredToken("to-tag")
            )
        }
        var known: Set<String> = [
            "display-text", "referred", "status", "joining-method", "joining-info", "disconnection-method",
            "disconnection-info", "media",
        ]
        // Call information of another protocol is carried as it is.
        if self.dialog != nil { known.insert("call-info") }
        self.extensions = element.elements(except: known)
    }

    var element: BodyElement {
        var element = BodyElement.conference("endpoint")
        element.set("entity", self.entity)
        element.set("state", self.state.rawValue)
        element.append("display-text", text: self.displayText)
        element.append(self.referred?.element(named: "referred"))
        element.append("status", text: self.status)
        element.append("joining-method", text: self.joiningMethod)
        element.append(self.joining?.element(named: "joining-info"))
        element.append("disconnection-method", text: self.disconnectionMethod)
        element.append(self.disconnection?.element(named: "disconnection-info"))
        element.append(self.media.map(\.element))
        if let dialog = self.dialog {
            var sip = BodyElement.conference("sip")
            sip.append("call-id", text: dialog.callID)
            sip.append("from-tag", text: dialog.localTag)
            sip.append("to-tag", text: dialog.remoteTag)
            element.append("call-info", holding: [sip])
        }
        element.append(self.extensions)
        return element
    }
}

extension ConferenceInfo.Medium {
    init(element: BodyElement) throws(XMLError) {
        self.init(
            id: try element.requiredAttribute("id"),
            type: element.tokenOfFirst("type"),
            status: element.tokenOfFirst("status")
        )
        self.displayText = element.tokenOfFirst("display-text")
        self.label = element.tokenOfFirst("label")
        self.sourceID = element.tokenOfFirst("src-id")
    }

    var element: BodyElement {
        var element = BodyElement.conference("media")
        element.set("id", self.id)
        element.append("display-text", text: self.displayText)
        element.append("type", text: self.type)
        element.append("label", text: self.label)
        element.append("src-id", text: self.sourceID)
        element.append("status", text: self.status)
        return element
    }
}

extension ConferenceInfo.Execution {
    init(element: BodyElement) {
        self.init(
            when: element.tokenOfFirst("when"),
            reason: element.tokenOfFirst("reason"),
            by: element.tokenOfFirst("by")
        )
    }

    func element(named name: String) -> BodyElement {
        var element = BodyElement.conference(name)
        element.append("when", text: self.when)
        element.append("reason", text: self.reason)
        element.append("by", text: self.by)
        return element
    }
}
