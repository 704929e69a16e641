extension DialogInfo.Dialog {
    init(element: BodyElement) throws(XMLError) {
        self.init(
            id: try element.requiredAttribute("id"),
            state: DialogInfo.State(rawValue: try element.requiredToken("state"))
        )
        self.callID = element.attribute("call-id")
        self.localTag = element.attribute("local-tag")
        self.remoteTag = element.attribute("remote-tag")
        self.direction = element.attribute("direction")
        if let state = element.first("state") {
            self.event = state.attribute("event")
            self.code = try state.numberAttribute("code")
        }
        self.duration = element.tokenOfFirst("duration")?.unsignedInteger
        if let replaces = element.first("replaces") {
            self.replaces = DialogInfo.Reference(
                callID: try replaces.requiredAttribute("call-id"),
                localTag: try replaces.requiredAttribute("local-tag"),
                remoteTag: try replaces.requiredAttribute("remote-tag")
            )
        }
        self.referredBy = element.tokenOfFirst("referred-by")
        if let local = element.first("local") { self.local = try DialogInfo.Participant(element: local) }
        if let remote = element.first("remote") { self.remote = try DialogInfo.Participant(element: remote) }
        self.extensions = element.elements(
            except: ["state", "duration", "replaces", "referred-by", "local", "remote"]
        )
    }

    var element: BodyElement {
        let namespace = DialogInfo.rootName.namespace
        var element = BodyElement(XMLName("dialog", in: namespace))
        element.set("id", self.id)
        element.set("call-id", self.callID)
        element.set("local-tag", self.localTag)
        element.set("remote-tag", self.remoteTag)
        element.set("direction", self.direction)
        var state = BodyElement(XMLName("state", in: namespace), text: self.state.rawValue)
        state.set("event", self.event)
        state.set("code", self.code.map(String.init))
        element.append(state)
        element.append("duration", text: self.duration.map(String.init))
        if let replaces = self.replaces {
            var child = BodyElement(XMLName("replaces", in: namespace))
            child.set("call-id", replaces.callID)
            child.set("local-tag", replaces.localTag)
            child.set("remote-tag", replaces.remoteTag)
            element.append(child)
        }
        element.append("referred-by", text: self.referredBy)
        element.append(self.local?.element(named: "local"))
        element.append(self.remote?.element(named: "remote"))
        element.append(self.extensions)
        return element
    }
}

extension DialogInfo.Participant {
    init(element: BodyElement) throws(XMLError) {
        self.init(identity: element.tokenOfFirst("identity"))
        self.identityDisplay = element.first("identity")?.attribute("display")
        if let target = element.first("target") {
            self.target = try target.requiredAttribute("uri")
            for child in target.all("param") {
                self.targetParameters.append(
                    RegistrationInfo.Contact.Parameter(
                        name: try child.requiredAttribute("pname"),
                        value: try child.requiredAttribute("pval")
                    )
                )
            }
        }
        self.sessionDescription = element.first("session-description")?.text
        self.sessionDescriptionType = element.first("session-description")?.attribute("type")
        self.cseq = element.tokenOfFirst("cseq")?.unsignedInteger
        self.extensions = element.elements(except: ["identity", "target", "session-description", "cseq"])
    }

    func element(named name: String) -> BodyElement {
        let namespace = DialogInfo.rootName.namespace
        var element = BodyElement(XMLName(name, in: namespace))
        if let identity = self.identity {
            var child = BodyElement(XMLName("identity", in: namespace), text: identity)
            child.set("display", self.identityDisplay)
            element.append(child)
        }
        if let target = self.target {
            var child = BodyElement(XMLName("target", in: namespace))
            child.set("uri", target)
            for parameter in self.targetParameters {
                var inner = BodyElement(XMLName("param", in: namespace))
                inner.set("pname", parameter.name)
                inner.set("pval", parameter.value)
                child.append(inner)
            }
            element.append(child)
        }
        if let description = self.sessionDescription {
            var child = BodyElement(XMLName("session-description", in: namespace), text: description)
            child.set("type", self.sessionDescriptionType)
            element.append(child)
        }
        element.append("cseq", text: self.cseq.map(String.init))
        element.append(self.extensions)
        return element
    }
}
