"""Train OpenRLHF with rewards of the service: pairs, identity, and weights for the teacher."""
