print("continuo")
